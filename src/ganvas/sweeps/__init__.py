"""From the runs of a study to conclusions: one tidy table, statistics, plots, a page."""
