"""What browsers and programs hold open: websockets, served by Channels."""
