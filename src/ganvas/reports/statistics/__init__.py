"""Statistics of a report: intervals, paired tests, corrections and power."""
