"""What leaves the workshop: exported models and their predictors."""
