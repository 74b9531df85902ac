"""The demonstration: an embedded mem9, the plugin, and twenty conversations that store facts."""
