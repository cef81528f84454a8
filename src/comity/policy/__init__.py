"""Pure decisions: the allocator, placement and rollout. A snapshot goes in, a plan comes out."""
