"""Stock implementations, declared as a third party would; frameworks are imported in factories alone."""
