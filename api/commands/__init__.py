"""The command line, one module a group of commands; each command is a few lines over the services."""
