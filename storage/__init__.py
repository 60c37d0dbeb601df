"""What outlives a process: SQL tables, uploaded files and artifact folders."""
