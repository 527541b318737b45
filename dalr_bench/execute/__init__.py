"""What an executor is handed: a queue of tasks that knows who waits for whom."""
