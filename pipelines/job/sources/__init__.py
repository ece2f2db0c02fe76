"""Where items come from: a room per kind of source, and the registry that picks one."""
