"""The builder's form: fields to rule and back."""
