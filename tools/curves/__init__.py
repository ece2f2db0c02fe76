"""Pictures of finished runs, drawn from what lies in their folders alone."""
