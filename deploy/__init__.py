"""What brings the service to containers, Kubernetes and the clouds."""
