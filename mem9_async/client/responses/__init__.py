"""What mem9's answers and failures mean."""
