"""What `motet eval skills` asks: a battery of prompts with checks, and two ways to have a model answer them."""
