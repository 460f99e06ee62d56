"""Reading a study: its runs, their ranking and one page with the conclusion."""
