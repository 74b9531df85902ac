"""What people ask of one journal, answered: jobs found, told about and changed."""
