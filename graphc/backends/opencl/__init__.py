"""Programs on OpenCL devices; loaded only when asked for, as pyopencl is."""
