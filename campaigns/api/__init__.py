"""The REST API of messages, campaigns and deliveries."""
