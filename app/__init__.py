"""Question → passages → prompt → answer, in the terminal and in the browser."""
