"""What is done now and then: adopting, tidying, following a replaced key."""
