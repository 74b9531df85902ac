"""One page that shows the queue and acts on it; two places serve it: command line and Dify."""
