"""What a call costs, measured on real plugin processes: `python -m mem9_async bench`."""
