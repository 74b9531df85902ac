"""Long-term memory in mem9 for Dify, asynchronous and journalled. Imports nothing on purpose."""
