# %% [split_authors] other: two borders for each text
def split_authors(corpora, percent):
    def borders(tokens):
        n = len(tokens)
        first = n * percent[0] // 100
        return [0, first, first + n * percent[1] // 100, n]

    parts = []
    for k in range(3):
        part = []
        for tokens in corpora:
            where = borders(tokens)
            part.extend(tokens[where[k] : where[k + 1]])
        parts.append(part)
    return tuple(parts)

# %% [split_authors] wrong 3/5: joined first, then cut
# says: An author is missing
def split_authors(corpora, percent):
    tokens = [token for corpus in corpora for token in corpus]
    a = len(tokens) * percent[0] // 100
    b = a + len(tokens) * percent[1] // 100
    return tokens[:a], tokens[a:b], tokens[b:]

# %% [split_authors] wrong 1/5: validation and test part overlap
# says: Overlap:
def split_authors(corpora, percent):
    train, valid, test = [], [], []
    for tokens in corpora:
        a = len(tokens) * percent[0] // 100
        b = a + len(tokens) * percent[1] // 100
        train += tokens[:a]
        valid += tokens[a : b + 1]
        test += tokens[b:]
    return train, valid, test

# %% [split_authors] wrong 1/5: the test part is as large as the validation part
# says: are in no part
def split_authors(corpora, percent):
    train, valid, test = [], [], []
    for tokens in corpora:
        a = len(tokens) * percent[0] // 100
        b = len(tokens) * percent[1] // 100
        train += tokens[:a]
        valid += tokens[a : a + b]
        test += tokens[a + b : a + b + 1]
    return train, valid, test

# %% [split_authors] wrong 0/5: only the first author
# says: are in no part
# says: An author is missing
def split_authors(corpora, percent):
    tokens = corpora[0]
    a = len(tokens) * percent[0] // 100
    b = a + len(tokens) * percent[1] // 100
    return tokens[:a], tokens[a:b], tokens[b:]

# %% [split_authors] wrong 4/5: shuffled before it is cut
# says: has lost its order
def split_authors(corpora, percent):
    train, valid, test = [], [], []
    for tokens in corpora:
        order = np.random.default_rng(5).permutation(len(tokens))
        tokens = [tokens[i] for i in order]
        a = len(tokens) * percent[0] // 100
        b = a + len(tokens) * percent[1] // 100
        train += tokens[:a]
        valid += tokens[a:b]
        test += tokens[b:]
    return train, valid, test

# %% [split_authors] wrong 0/5: all of it is training
# says: One of your parts is empty
def split_authors(corpora, percent):
    return [token for tokens in corpora for token in tokens], [], []

# %% [encode] other: counted by hand
def encode(train, valid, test, min_freq=1):
    counts = {}
    for token in train:
        counts[token] = counts.get(token, 0) + 1
    kept = [token for token in counts if counts[token] >= min_freq]
    listed = ["<unk>"] + sorted(kept, key=counts.get, reverse=True)
    place = {token: i for i, token in enumerate(listed)}
    coded = [[place.get(token, 0) for token in part] for part in (train, valid, test)]
    return (listed, *coded)

# %% [encode] wrong 2/5: the vocabulary of the whole text
# says: A leak: tokens that occur only in the validation or test part
def encode(train, valid, test, min_freq=1):
    vocab = d2l.Vocab([*train, *valid, *test], min_freq=min_freq)
    return vocab.idx_to_token, vocab[[*train]], vocab[[*valid]], vocab[[*test]]

# %% [encode] wrong 3/5: unknown tokens are left out
# says: You left out the unknown tokens
def encode(train, valid, test, min_freq=1):
    vocab = d2l.Vocab([*train], min_freq=min_freq)
    coded = [[vocab[t] for t in part if t in vocab] for part in (train, valid, test)]
    return (vocab.idx_to_token, *coded)

# %% [encode] wrong 3/5: tokens that occur exactly min_freq times are left out
# says: exactly min_freq times
def encode(train, valid, test, min_freq=1):
    vocab = d2l.Vocab([*train], min_freq=min_freq + 1)
    return vocab.idx_to_token, vocab[[*train]], vocab[[*valid]], vocab[[*test]]

# %% [encode] wrong 3/5: in the order of the alphabet
# says: the most frequent tokens should come first
def encode(train, valid, test, min_freq=1):
    vocab = d2l.Vocab([*train], min_freq=min_freq)
    listed = ["<unk>"] + sorted(vocab.idx_to_token[1:])
    place = {token: i for i, token in enumerate(listed)}
    coded = [[place.get(token, 0) for token in part] for part in (train, valid, test)]
    return (listed, *coded)

# %% [encode] circulating 3/5: the characters of the text, looked up in the list of words
# says: indices
def encode(train, valid, test, min_freq=1):
    vocab = d2l.Vocab([*train], min_freq=min_freq)
    coded = [vocab[list(" ".join(part))] for part in (train, valid, test)]
    return (vocab.idx_to_token, *coded)

# %% [encode] wrong 3/5: a vocabulary of its own for each part
# says: in your own list
def encode(train, valid, test, min_freq=1):
    vocabs = [d2l.Vocab([*part], min_freq=min_freq) for part in (train, valid, test)]
    coded = [vocab[[*part]] for vocab, part in zip(vocabs, (train, valid, test))]
    return (vocabs[0].idx_to_token, *coded)

# %% [encode] wrong 0/5: everything is unknown
# says: as if they were unknown
def encode(train, valid, test, min_freq=1):
    return ["<unk>"], [0] * len(train), [0] * len(valid), [0] * len(test)

# %% [training_loader] other: a class of one's own over the random iterator
class AllOf:
    def __init__(self, *sizes):
        self.sizes = sizes

    def __iter__(self):
        return d2l.seq_data_iter_random(*self.sizes)


def training_loader(corpus, batch_size, num_steps):
    """Minibatches (X, Y) of all of a corpus, to be read once for each epoch."""
    return AllOf(corpus, batch_size, num_steps)

# %% [training_loader] other: a list of all minibatches
def training_loader(corpus, batch_size, num_steps):
    return list(d2l.seq_data_iter_sequential(corpus, batch_size, num_steps, offset=0))[:-1]

# %% [training_loader] circulating 2/4: the first 10,000 tokens again
# says: you read the first
def training_loader(corpus, batch_size, num_steps):
    return d2l.SeqDataLoader(batch_size, num_steps, corpus=corpus[:10000])

# %% [training_loader] circulating 0/4: the embedded text instead of the corpus
# says: does your loader read the corpus that it is given?
def training_loader(corpus, batch_size, num_steps):
    train_iter, vocab = d2l.load_data_time_machine(batch_size, num_steps)
    return train_iter

# %% [training_loader] wrong 3/4: a generator, read once
# says: can be read only once
def training_loader(corpus, batch_size, num_steps):
    return d2l.seq_data_iter_sequential(corpus, batch_size, num_steps)

# %% [training_loader] wrong 2/4: every second minibatch
# says: an epoch leaves out
def training_loader(corpus, batch_size, num_steps):
    loader = d2l.SeqDataLoader(batch_size, num_steps, corpus=corpus)
    return [batch for i, batch in enumerate(loader) if i % 2 == 0] * 2

# %% [training_loader] wrong 3/4: rows and steps exchanged
# says: X has shape
def training_loader(corpus, batch_size, num_steps):
    return d2l.SeqDataLoader(num_steps, batch_size, corpus=corpus)

# %% [training_loader] wrong 0/4: the label is the input
# says: each label should be its input plus 1
def training_loader(corpus, batch_size, num_steps):
    return [(X, X) for X, Y in d2l.SeqDataLoader(batch_size, num_steps, corpus=corpus)]

# %% [yardstick] other: a loop that remembers the best
def yardstick(train, valid, test, vocab_size, orders):
    best, judged = None, None
    for order in orders:
        table = d2l.KneserNey(train, vocab_size, order)
        chosen_by = table.perplexity(valid)
        if best is None or chosen_by < best[0]:
            best, judged = (chosen_by, order), table.perplexity(test)
    return [best[1], judged]

# %% [yardstick] wrong 2/5: chosen on the test part
# says: did the test part have a say?
# says: you take the same order for both
def yardstick(train, valid, test, vocab_size, orders):
    tables = {k: d2l.KneserNey(train, vocab_size, k) for k in orders}
    best = min(orders, key=lambda k: tables[k].perplexity(test))
    return best, tables[best].perplexity(test)

# %% [yardstick] wrong 3/5: the perplexity on the validation part
# says: This is the perplexity on the validation part
def yardstick(train, valid, test, vocab_size, orders):
    tables = {k: d2l.KneserNey(train, vocab_size, k) for k in orders}
    best = min(orders, key=lambda k: tables[k].perplexity(valid))
    return best, tables[best].perplexity(valid)

# %% [yardstick] wrong 2/5: chosen on the training part
# says: You took the longest memory every time
def yardstick(train, valid, test, vocab_size, orders):
    tables = {k: d2l.KneserNey(train, vocab_size, k) for k in orders}
    best = min(orders, key=lambda k: tables[k].perplexity(train))
    return best, tables[best].perplexity(test)

# %% [yardstick] wrong 1/5: the tables learn from the validation part
# says: You took the longest memory every time
# says: has learnt from the validation part, too
def yardstick(train, valid, test, vocab_size, orders):
    both = np.concatenate([train, valid])
    tables = {k: d2l.KneserNey(both, vocab_size, k) for k in orders}
    best = min(orders, key=lambda k: tables[k].perplexity(valid))
    return best, tables[best].perplexity(test)

# %% [yardstick] wrong 3/5: nats instead of a perplexity
# says: has a perplexity near 6
def yardstick(train, valid, test, vocab_size, orders):
    tables = {k: d2l.KneserNey(train, vocab_size, k) for k in orders}
    best = min(orders, key=lambda k: tables[k].perplexity(valid))
    return best, np.log(tables[best].perplexity(test))

# %% [yardstick] wrong 2/5: always the longest
# says: You took the longest memory every time
def yardstick(train, valid, test, vocab_size, orders):
    best = max(orders)
    return best, d2l.KneserNey(train, vocab_size, best).perplexity(test)

# %% [yardstick] wrong 2/5: always the first order
# says: You chose order 1
# says: you take the same order for both
def yardstick(train, valid, test, vocab_size, orders):
    best = orders[0]
    return best, d2l.KneserNey(train, vocab_size, best).perplexity(test)

# %% [yardstick] wrong 3/5: 1 % too much
def yardstick(train, valid, test, vocab_size, orders):
    tables = {k: d2l.KneserNey(train, vocab_size, k) for k in orders}
    best = min(orders, key=lambda k: tables[k].perplexity(valid))
    return best, 1.01 * tables[best].perplexity(test)

# %% [train_within] other: with a running time and a list of copies
def train_within(epoch, validate, save, restore, seconds, clock):
    end = clock() + seconds
    values, copies = [], []
    while True:
        if clock() >= end:
            break
        epoch()
        values.append(validate())
        copies.append(save())
    if values:
        restore(copies[values.index(min(values))])
    return values

# %% [train_within] wrong 3/5: the last weights stay
# says: those of the last epoch; the second was the best
def train_within(epoch, validate, save, restore, seconds, clock):
    start, values = clock(), []
    while clock() - start < seconds:
        epoch()
        values.append(validate())
    return values

# %% [train_within] wrong 0/5: the budget counts epochs
# says: you train 5 epochs. The budget is in seconds
def train_within(epoch, validate, save, restore, seconds, clock):
    values, best = [], None
    for _ in range(int(seconds)):
        epoch()
        values.append(validate())
        if values[-1] == min(values):
            best = save()
    if best is not None:
        restore(best)
    return values

# %% [train_within] wrong 0/5: the clock is taken to begin at 0
# says: the clock began at 100
def train_within(epoch, validate, save, restore, seconds, clock):
    values, best = [], None
    while clock() < seconds:
        epoch()
        values.append(validate())
        if values[-1] < min(values[:-1], default=1e9):
            best = save()
    if best is not None:
        restore(best)
    return values

# %% [train_within] wrong 2/5: saved before the epoch
# says: those of epoch 1; the second was the best
def train_within(epoch, validate, save, restore, seconds, clock):
    start, values, best = clock(), [], None
    while clock() - start < seconds:
        copy = save()
        epoch()
        values.append(validate())
        if values[-1] < min(values[:-1], default=1e9):
            best = copy
    if best is not None:
        restore(best)
    return values

# %% [train_within] wrong 3/5: the later of two equal epochs
# says: Of two equal perplexities the earlier epoch counts
def train_within(epoch, validate, save, restore, seconds, clock):
    start, values, best = clock(), [], None
    while clock() - start < seconds:
        epoch()
        values.append(validate())
        if values[-1] <= min(values):
            best = save()
    if best is not None:
        restore(best)
    return values

# %% [train_within] wrong 2/5: one epoch is trained even without time
# says: begin an epoch when the time is over
def train_within(epoch, validate, save, restore, seconds, clock):
    start, values, best = clock(), [], None
    while clock() - start <= seconds:
        epoch()
        values.append(validate())
        if values[-1] < min(values[:-1], default=1e9):
            best = save()
    if best is not None:
        restore(best)
    return values

# %% [my_choices] other: one for each kind
def my_choices(kind):
    if kind == "char":
        return dict(num_hiddens=64, lr=0.02, batch_size=16, num_steps=32)
    return dict(num_hiddens=32, lr=0.01, batch_size=4, num_steps=10)

# %% [my_choices] survives: 32 → 33; because one unit more or less does not matter

# %% [my_choices] survives: 8 → 9; because one row more or less does not matter

# %% [my_choices] survives: 20 → 21; because one step more or less does not matter

# %% [train_within] wrong 3/5: compared with the epoch before
# says: You compare with the epoch before
def train_within(epoch, validate, save, restore, seconds, clock):
    start, values, best = clock(), [], None
    while clock() - start < seconds:
        epoch()
        values.append(validate())
        if len(values) == 1 or values[-1] < values[-2]:
            best = save()
    if best is not None:
        restore(best)
    return values

# %% [my_choices] wrong 1/4: a rate that is far too small
# says: the table of order 2 has
# says: the table of order 1 has
def my_choices(kind):
    return dict(num_hiddens=64, lr=0.00001, batch_size=16, num_steps=32)

# %% [my_choices] wrong 1/4: a rate that is far too large
# says: the table of order 2 has
def my_choices(kind):
    return dict(num_hiddens=64, lr=1.0, batch_size=16, num_steps=32)

# %% [my_choices] wrong 3/4: good for characters, far too slow for words
# says: the table of order 1 has
def my_choices(kind):
    rate = 0.02 if kind == "char" else 0.00001
    return dict(num_hiddens=32, lr=rate, batch_size=8, num_steps=20)

# %% [my_choices] wrong 0/4: for the chapter's one kind of token only
# says: should give a dictionary
def my_choices(kind):
    return 64, 0.02, 16, 32

# %% [my_choices] wrong 3/4: too large a minibatch
# says: batch_size times num_steps is 1120
def my_choices(kind):
    if kind == "char":
        return dict(num_hiddens=64, lr=0.02, batch_size=32, num_steps=35)
    return dict(num_hiddens=32, lr=0.01, batch_size=4, num_steps=10)

# %% [verdict] other: the interval by hand
def verdict(network, table, margin=0.05):
    from scipy import stats

    difference = np.asarray(network) - np.asarray(table)
    n, mean = len(difference), difference.mean()
    half = stats.t.ppf(0.975, n - 1) * difference.std(ddof=1) / n**0.5
    if max(abs(mean - half), abs(mean + half)) < margin:
        return "equivalent"
    if abs(mean) < half:
        return "cannot tell"
    return "better" if mean < 0 else "worse"

# %% [verdict] survives: -margin < found.low → -margin <= found.low; because an interval of random numbers never ends exactly at the margin

# %% [verdict] survives: found.high < margin → found.high <= margin; because an interval of random numbers never ends exactly at the margin

# %% [verdict] survives: found.high < 0 → found.high <= 0; because an interval of random numbers never ends exactly at 0

# %% [verdict] survives: found.low > 0 → found.low >= 0; because an interval of random numbers never ends exactly at 0

# %% [verdict] wrong 0/4: the table minus the network
# says: and you call it worse
def verdict(network, table, margin=0.05):
    found = t_interval(table - network)
    if -margin < found.low and found.high < margin:
        return "equivalent"
    if found.high < 0:
        return "better"
    return "worse" if found.low > 0 else "cannot tell"

# %% [verdict] circulating 2/4: not significant is called equal
# says: that it holds 0 does not make the two equal
def verdict(network, table, margin=0.05):
    found = t_interval(network - table)
    if found.low < 0 < found.high:
        return "equivalent"
    return "better" if found.high < 0 else "worse"

# %% [verdict] wrong 1/4: the margin is forgotten
# says: with a margin of 0.05 is 'equivalent'
def verdict(network, table, margin=0.05):
    found = t_interval(network - table)
    if found.high < 0:
        return "better"
    return "worse" if found.low > 0 else "cannot tell"

# %% [verdict] wrong 0/4: two intervals that overlap, instead of the differences
# says: take the differences piece by piece
def verdict(network, table, margin=0.05):
    one, other = t_interval(network), t_interval(table)
    if one.high < other.low:
        return "better"
    if one.low > other.high:
        return "worse"
    if abs(one.mean - other.mean) < margin:
        return "equivalent"
    return "cannot tell"

# %% [verdict] wrong 2/4: only the mean counts
# says: reaches beyond the margin of 0.05
def verdict(network, table, margin=0.05):
    mean = (network - table).mean()
    if abs(mean) < margin:
        return "equivalent"
    return "better" if mean < 0 else "worse"

# %% [training_loader] wrong 3/4: positions instead of the tokens
# says: or only its length?
def training_loader(corpus, batch_size, num_steps):
    return d2l.SeqDataLoader(batch_size, num_steps, corpus=np.arange(len(corpus)))

# %% [my_choices] wrong 0/4: it reaches for what judges it
# says: Your cell uses d2l
def my_choices(kind):
    judge = d2l.evaluate_perplexity
    return dict(num_hiddens=32, lr=0.02, batch_size=8, num_steps=20)
