"""A stand-in for tensorflow_model_server: the same flags, gRPC services, version rules and log lines, real TensorFlow."""
