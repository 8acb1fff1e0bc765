"""What a tool call may do, decided outside the model: rules, where arguments come from, and a person's approval."""
