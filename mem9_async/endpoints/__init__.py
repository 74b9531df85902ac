"""Pages that Dify serves for the plugin, where a workspace has added them."""
