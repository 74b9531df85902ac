"""Takes stores in: room, commit, receipt, and delivery where nothing can be kept."""
