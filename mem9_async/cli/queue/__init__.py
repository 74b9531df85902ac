"""`queue ...`: the command line on running plugins and on journals at rest."""
