"""From a program to the text of a host function."""
