"""The resource types of CloudFormation."""
