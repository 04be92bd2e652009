"""Pure functions of a report: text for the terminal, Markdown, JSON and the exit code."""
