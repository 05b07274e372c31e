"""What a model is asked: wording, order of visuals, frames."""
