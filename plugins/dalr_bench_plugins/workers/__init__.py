"""What executors are made of: processes that run folders, and the devices they share."""
