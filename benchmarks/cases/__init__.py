"""One file a case; each has `cases(tiny: bool) -> list[Case]`."""
