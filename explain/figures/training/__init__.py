"""Pictures of training: its losses, and the landscape that it moved through."""
