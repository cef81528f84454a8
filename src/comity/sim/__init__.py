"""A cluster in one process and one seed: the real machines, a simulated world around them.

`world` is time and chance; `process` is the shells' driver once more, over `disk`, `clocks` and
`network`; `masters` and `agents` put the real machines into it, `launcher` plays containers and
`schedulers` frameworks. `faults` break things, `checkers` say what must never and what must in the
end be true, `runs` is one seed from start to verdict, `scale` a big cluster without faults.
"""
