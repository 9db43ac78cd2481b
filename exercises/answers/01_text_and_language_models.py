# Other solutions and wrong answers of 01_text_and_language_models. Each section is the
# whole solution cell; the first line says its question, its kind and its points.

# %% [measure_tokens] other: slices and sets instead of a Counter of everything
def measure_tokens(lines, kind):
    tokens = []
    for line in lines:
        if kind == "word":
            tokens.extend(line.split())
        elif kind == "char":
            tokens.extend(line)
        else:
            while line:
                tokens.append(line[:2])
                line = line[2:]
    seen, again = set(), set()
    for token in tokens:
        (again if token in seen else seen).add(token)
    return len(tokens), len(seen), len(seen - again)
# %% [measure_tokens] wrong 2/4: overlapping pairs
# says: Your pairs overlap
def measure_tokens(lines, kind):
    if kind == "pair":
        pieces = [[a + b for a, b in zip(line, line[1:])] for line in lines]
    else:
        pieces = d2l.tokenize(lines, kind)
    counts = Counter(token for line in pieces for token in line)
    once = sum(count == 1 for count in counts.values())
    return sum(counts.values()), len(counts), once
# %% [measure_tokens] wrong 2/4: pairs across the ends of lines
# says: A pair goes from one line into the next
def measure_tokens(lines, kind):
    if kind == "pair":
        text = "".join(lines)
        pieces = [[text[i : i + 2] for i in range(0, len(text), 2)]]
    else:
        pieces = d2l.tokenize(lines, kind)
    counts = Counter(token for line in pieces for token in line)
    once = sum(count == 1 for count in counts.values())
    return sum(counts.values()), len(counts), once
# %% [measure_tokens] wrong 2/4: zip drops the last character of an odd line
# says: The last character of a line of odd length is missing
def measure_tokens(lines, kind):
    if kind == "pair":
        pieces = [[a + b for a, b in zip(line[::2], line[1::2])] for line in lines]
    else:
        pieces = d2l.tokenize(lines, kind)
    counts = Counter(token for line in pieces for token in line)
    once = sum(count == 1 for count in counts.values())
    return sum(counts.values()), len(counts), once
# %% [measure_tokens] wrong 0/4: a share instead of a number
def measure_tokens(lines, kind):
    if kind == "pair":
        pieces = [[line[i : i + 2] for i in range(0, len(line), 2)] for line in lines]
    else:
        pieces = d2l.tokenize(lines, kind)
    counts = Counter(token for line in pieces for token in line)
    once = sum(count == 1 for count in counts.values()) / len(counts)
    return sum(counts.values()), len(counts), once
# %% [measure_tokens] wrong 0/4: `<unk>` counted as a token
def measure_tokens(lines, kind):
    if kind == "pair":
        pieces = [[line[i : i + 2] for i in range(0, len(line), 2)] for line in lines]
    else:
        pieces = d2l.tokenize(lines, kind)
    vocab = d2l.Vocab([token for line in pieces for token in line])
    once = sum(freq == 1 for token, freq in vocab.token_freqs)
    return sum(map(len, pieces)), len(vocab), once
# %% [measure_tokens] wrong 0/4: characters without their spaces
# says: The spaces are missing
def measure_tokens(lines, kind):
    if kind == "word":
        tokens = [word for line in lines for word in line.split()]
    else:
        size = 1 if kind == "char" else 2
        bare = [line.replace(" ", "") for line in lines]
        tokens = [s[i : i + size] for s in bare for i in range(0, len(s), size)]
    counts = Counter(tokens)
    return len(tokens), len(counts), sum(v == 1 for v in counts.values())

# %% [vocabulary] other: a sorted list and a filter over the text
def vocabulary(words, min_freq):
    kept = {word for word in words if words.count(word) >= min_freq}
    hidden = [word not in kept for word in words]
    return len(kept | {"<unk>"}), float(np.mean(hidden))
# %% [vocabulary] wrong 2/3: no entry for `<unk>`
# says: The entry of <unk> is missing
def vocabulary(words, min_freq):
    counts = Counter(words)
    hidden = [count for count in counts.values() if count < min_freq]
    return len(counts) - len(hidden), sum(hidden) / len(words)
# %% [vocabulary] wrong 0/3: more than min_freq
def vocabulary(words, min_freq):
    counts = Counter(words)
    hidden = [count for count in counts.values() if count <= min_freq]
    return 1 + len(counts) - len(hidden), sum(hidden) / len(words)
# %% [vocabulary] wrong 1/3: a share of the different words
# says: should be of the words of the text
def vocabulary(words, min_freq):
    counts = Counter(words)
    hidden = [count for count in counts.values() if count < min_freq]
    return 1 + len(counts) - len(hidden), len(hidden) / len(counts)
# %% [vocabulary] wrong 1/3: different hidden words over the length of the text
# says: a word that occurs twice hides two words
def vocabulary(words, min_freq):
    counts = Counter(words)
    hidden = [count for count in counts.values() if count < min_freq]
    return 1 + len(counts) - len(hidden), len(hidden) / len(words)
# %% [vocabulary] wrong 1/3: the share that stays
def vocabulary(words, min_freq):
    counts = Counter(words)
    kept = [count for count in counts.values() if count >= min_freq]
    return 1 + len(kept), sum(kept) / len(words)
# %% [vocabulary] wrong 0/3: the package counts
# says: Vocab
def vocabulary(words, min_freq):
    vocab = d2l.Vocab(words, min_freq=min_freq)
    return len(vocab), float(np.mean(np.array(vocab[words]) == 0))

# %% [counts_to_store] other: order by order, the sum of a geometric series
def counts_to_store(vocab_size, num_tokens, order):
    if vocab_size == 1:
        cells = order
    else:
        cells = vocab_size * (vocab_size**order - 1) // (vocab_size - 1)
    filled = 0
    for k in range(1, order + 1):
        if k <= num_tokens:
            filled += min(vocab_size**k, num_tokens + 1 - k)
    return cells, filled
# %% [counts_to_store] wrong 0/4: the highest order alone
# says: You count the cells of the highest order only
def counts_to_store(vocab_size, num_tokens, order):
    cells = vocab_size**order
    return cells, min(cells, max(0, num_tokens - order + 1))
# %% [counts_to_store] wrong 2/4: the limits of all orders together
# says: each order has its own limit
def counts_to_store(vocab_size, num_tokens, order):
    cells = sum(vocab_size**k for k in range(1, order + 1))
    places = sum(max(0, num_tokens - k + 1) for k in range(1, order + 1))
    return cells, min(cells, places)
# %% [counts_to_store] wrong 2/4: N n-grams of each order
# says: has N - k + 1 n-grams of order k, not N
def counts_to_store(vocab_size, num_tokens, order):
    cells = [vocab_size**k for k in range(1, order + 1)]
    return sum(cells), sum(min(cell, num_tokens) for cell in cells)
# %% [counts_to_store] wrong 2/4: NumPy's integers go round
# says: gone round past 2^63
def counts_to_store(vocab_size, num_tokens, order):
    k = np.arange(1, order + 1)
    cells = np.int64(vocab_size) ** k
    filled = [min(vocab_size**int(i), max(0, num_tokens - int(i) + 1)) for i in k]
    return int(cells.sum()), sum(filled)
# %% [counts_to_store] wrong 2/4: floats
def counts_to_store(vocab_size, num_tokens, order):
    cells = [float(vocab_size) ** k for k in range(1, order + 1)]
    places = [max(0, num_tokens - k + 1) for k in range(1, order + 1)]
    return int(sum(cells)), int(sum(map(min, cells, places)))
# %% [counts_to_store] wrong 2/4: negative numbers of places
# says: An order that is longer than the text takes something away
def counts_to_store(vocab_size, num_tokens, order):
    cells = [vocab_size**k for k in range(1, order + 1)]
    places = [num_tokens - k + 1 for k in range(1, order + 1)]
    return sum(cells), sum(map(min, cells, places))
# %% [counts_to_store] circulating 0/4: only four kinds of counts
def counts_to_store(vocab_size, num_tokens, order):
    return order * vocab_size, order * num_tokens

# %% [zipf_exponent] other: the normal equations, from most_common
def zipf_exponent(tokens, order, least):
    counts = Counter(
        tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1)
    )
    f = [count for _, count in counts.most_common() if count >= least]
    x, y = np.log10(np.arange(len(f)) + 1), np.log10(f)
    A = np.stack([x, np.ones_like(x)], axis=1)
    return -float(np.linalg.lstsq(A, y, rcond=None)[0][0])
# %% [zipf_exponent] other: in float32
def zipf_exponent(tokens, order, least):
    grams = Counter(zip(*(tokens[i:] for i in range(order)))).values()
    y = np.log(np.array(sorted(g for g in grams if g >= least)[::-1], "float32"))
    x = np.log(np.arange(1, len(y) + 1, dtype="float32"))
    x, y = x - x.mean(), y - y.mean()
    return float(-(x * y).sum() / (x * x).sum())
# %% [zipf_exponent] wrong 0/4: 1 % too large
def zipf_exponent(tokens, order, least):
    grams = Counter(zip(*(tokens[i:] for i in range(order)))).values()
    freqs = np.array(sorted(g for g in grams if g >= least)[::-1])
    ranks = np.arange(1, len(freqs) + 1)
    return -1.01 * np.polyfit(np.log(ranks), np.log(freqs), 1)[0]
# %% [zipf_exponent] wrong 0/4: the slope
# says: Your exponent is negative
def zipf_exponent(tokens, order, least):
    grams = zip(*(tokens[i:] for i in range(order)))
    freqs = np.array(sorted(Counter(grams).values(), reverse=True))
    freqs = freqs[freqs >= least]
    ranks = np.arange(1, len(freqs) + 1)
    return np.polyfit(np.log(ranks), np.log(freqs), 1)[0]
# %% [zipf_exponent] wrong 2/4: n-grams that do not overlap
# says: Your n-grams do not overlap
def zipf_exponent(tokens, order, least):
    grams = [tuple(tokens[i : i + order]) for i in range(0, len(tokens), order)]
    grams = [gram for gram in grams if len(gram) == order]
    freqs = np.array(sorted(Counter(grams).values(), reverse=True))
    freqs = freqs[freqs >= least]
    ranks = np.arange(1, len(freqs) + 1)
    return -np.polyfit(np.log(ranks), np.log(freqs), 1)[0]
# %% [zipf_exponent] wrong 0/4: more than `least`
# says: that occur exactly `least` times are missing
def zipf_exponent(tokens, order, least):
    grams = zip(*(tokens[i:] for i in range(order)))
    freqs = np.array(sorted(Counter(grams).values(), reverse=True))
    freqs = freqs[freqs > least]
    ranks = np.arange(1, len(freqs) + 1)
    return -np.polyfit(np.log(ranks), np.log(freqs), 1)[0]
# %% [zipf_exponent] wrong 0/4: all n-grams
# says: `least` has no effect
def zipf_exponent(tokens, order, least):
    grams = zip(*(tokens[i:] for i in range(order)))
    freqs = np.array(sorted(Counter(grams).values(), reverse=True))
    ranks = np.arange(1, len(freqs) + 1)
    return -np.polyfit(np.log(ranks), np.log(freqs), 1)[0]
# %% [zipf_exponent] wrong 2/4: always single tokens
# says: The order has no effect
def zipf_exponent(tokens, order, least):
    freqs = np.array(sorted(Counter(tokens).values(), reverse=True))
    freqs = freqs[freqs >= least]
    ranks = np.arange(1, len(freqs) + 1)
    return -np.polyfit(np.log(ranks), np.log(freqs), 1)[0]
# %% [zipf_exponent] wrong 0/4: counts that are not sorted
def zipf_exponent(tokens, order, least):
    grams = zip(*(tokens[i:] for i in range(order)))
    freqs = np.array(list(Counter(grams).values()))
    freqs = freqs[freqs >= least]
    ranks = np.arange(1, len(freqs) + 1)
    return -np.polyfit(np.log(ranks), np.log(freqs), 1)[0]
# %% [zipf_exponent] wrong 0/4: the axes exchanged
# says: The axes are exchanged
def zipf_exponent(tokens, order, least):
    grams = zip(*(tokens[i:] for i in range(order)))
    freqs = np.array(sorted(Counter(grams).values(), reverse=True))
    freqs = freqs[freqs >= least]
    ranks = np.arange(1, len(freqs) + 1)
    return -np.polyfit(np.log(freqs), np.log(ranks), 1)[0]

# %% [offset_chances] other: position by position, without a loop over pieces
def offset_chances(num_tokens, num_steps, last_offset):
    i = np.arange(num_tokens)[:, None]
    o = np.arange(last_offset + 1)[None]
    within = i - o
    pieces = (num_tokens - o - 1) // num_steps
    inside = (within >= 0) & (within < pieces * num_steps)
    return (inside & (within % num_steps == 0)).mean(1), inside.mean(1)
# %% [offset_chances] wrong 0/4: the last offset is forgotten
# says: The offset last_offset itself is missing
def offset_chances(num_tokens, num_steps, last_offset):
    offsets = range(max(last_offset, 1))
    starts, inputs = np.zeros(num_tokens), np.zeros(num_tokens)
    for offset in offsets:
        end = offset + (num_tokens - offset - 1) // num_steps * num_steps
        starts[offset:end:num_steps] += 1 / len(offsets)
        inputs[offset:end] += 1 / len(offsets)
    return starts, inputs
# %% [offset_chances] wrong 0/4: no place for the label
# says: Your pieces need no label
def offset_chances(num_tokens, num_steps, last_offset):
    starts, inputs = np.zeros(num_tokens), np.zeros(num_tokens)
    for offset in range(last_offset + 1):
        end = offset + (num_tokens - offset) // num_steps * num_steps
        starts[offset:end:num_steps] += 1
        inputs[offset:end] += 1
    return starts / (last_offset + 1), inputs / (last_offset + 1)
# %% [offset_chances] circulating 0/4: it is uniform
def offset_chances(num_tokens, num_steps, last_offset):
    starts = np.full(num_tokens, 1 / num_steps)
    starts[num_tokens - num_steps :] = 0
    return starts, np.ones(num_tokens)
# %% [offset_chances] wrong 2/4: pieces that are not full are read
# says: You read to the end of the corpus
def offset_chances(num_tokens, num_steps, last_offset):
    starts, inputs = np.zeros(num_tokens), np.zeros(num_tokens)
    for offset in range(last_offset + 1):
        end = offset + (num_tokens - offset - 1) // num_steps * num_steps
        starts[offset:end:num_steps] += 1
        inputs[offset:] += 1
    return starts / (last_offset + 1), inputs / (last_offset + 1)
# %% [offset_chances] wrong 2/4: starts that sum to 1
# says: Your starts sum to 1
def offset_chances(num_tokens, num_steps, last_offset):
    starts, inputs = np.zeros(num_tokens), np.zeros(num_tokens)
    for offset in range(last_offset + 1):
        end = offset + (num_tokens - offset - 1) // num_steps * num_steps
        starts[offset:end:num_steps] += 1
        inputs[offset:end] += 1
    return starts / starts.sum(), inputs / (last_offset + 1)

# %% [even_starts] other: one number after the other
def even_starts(num_tokens, num_steps, batch_size, num_batches, rng):
    fits = [s for s in range(num_tokens) if s + num_steps <= num_tokens - 1]
    drawn = [rng.choice(fits) for _ in range(batch_size * num_batches)]
    return np.reshape(drawn, (num_batches, batch_size))
# %% [even_starts] wrong 2/4: an offset, and steps of T
def even_starts(num_tokens, num_steps, batch_size, num_batches, rng):
    offsets = rng.integers(num_steps, size=num_batches)
    rows = []
    for offset in offsets:
        fits = np.arange(offset, num_tokens - num_steps, num_steps)
        rows.append(rng.choice(fits, batch_size))
    return np.array(rows)
# %% [even_starts] wrong 0/4: no place for the label
# says: behind the end
def even_starts(num_tokens, num_steps, batch_size, num_batches, rng):
    return rng.integers(num_tokens - num_steps + 1, size=(num_batches, batch_size))
# %% [even_starts] wrong 0/4: the last start is never drawn
# says: the last start that fits
def even_starts(num_tokens, num_steps, batch_size, num_batches, rng):
    return rng.integers(num_tokens - num_steps - 1, size=(num_batches, batch_size))
# %% [even_starts] wrong 2/4: one draw for all rows
# says: stand a multiple of T apart
def even_starts(num_tokens, num_steps, batch_size, num_batches, rng):
    first = rng.integers(num_tokens - num_steps, size=(num_batches, 1))
    steps = num_steps * np.arange(batch_size)
    return (first + steps) % (num_tokens - num_steps)
# %% [even_starts] wrong 2/4: a seed of its own
# says: Two generators with other seeds give the same
def even_starts(num_tokens, num_steps, batch_size, num_batches, rng):
    rng = np.random.default_rng(0)
    return rng.integers(num_tokens - num_steps, size=(num_batches, batch_size))
# %% [even_starts] wrong 2/4: not from rng
# says: The same seed gives other starts
def even_starts(num_tokens, num_steps, batch_size, num_batches, rng):
    size = num_batches, batch_size
    return np.random.default_rng().integers(num_tokens - num_steps, size=size)
# %% [even_starts] wrong 0/4: rows and columns exchanged
def even_starts(num_tokens, num_steps, batch_size, num_batches, rng):
    return rng.integers(num_tokens - num_steps, size=(batch_size, num_batches))
# %% [even_starts] wrong 2/4: rounded, so that the ends are rarer
# says: if all starts were equally likely
def even_starts(num_tokens, num_steps, batch_size, num_batches, rng):
    u = rng.random((num_batches, batch_size))
    return np.round(u * (num_tokens - num_steps - 1)).astype(int)

# %% [sentence_minibatches] other: lists of rows, the mask from arange and lengths
def sentence_minibatches(sentences, batch_size, by_length):
    order = list(range(len(sentences)))
    if by_length:
        order.sort(key=lambda i: (len(sentences[i]), i))
    result = []
    while order:
        rows, order = [sentences[i] for i in order[:batch_size]], order[batch_size:]
        steps = np.array([len(row) - 1 for row in rows])
        longest = steps.max()
        M = (np.arange(longest)[None] < steps[:, None]).astype("int64")
        X = np.array([row[:-1] + [0] * (longest - len(row) + 1) for row in rows])
        Y = np.array([row[1:] + [0] * (longest - len(row) + 1) for row in rows])
        result.append((X, Y, M))
    return result
# %% [sentence_minibatches] other: lists of lists, which NumPy reads as arrays
def sentence_minibatches(sentences, batch_size, by_length):
    if by_length:
        sentences = sorted(sentences, key=len)
    minibatches = []
    for i in range(0, len(sentences), batch_size):
        rows = sentences[i : i + batch_size]
        gaps = [max(map(len, rows)) - len(row) for row in rows]
        X = [row[:-1] + [0] * gap for row, gap in zip(rows, gaps)]
        Y = [row[1:] + [0] * gap for row, gap in zip(rows, gaps)]
        M = [[1] * (len(row) - 1) + [0] * gap for row, gap in zip(rows, gaps)]
        minibatches.append((X, Y, M))
    return minibatches

# %% [sentence_minibatches] wrong 3/5: 0 is taken for padding
# says: Your mask is 0 where the label is <unk>
def sentence_minibatches(sentences, batch_size, by_length):
    if by_length:
        sentences = sorted(sentences, key=len)
    minibatches = []
    for i in range(0, len(sentences), batch_size):
        rows = sentences[i : i + batch_size]
        shape = len(rows), max(map(len, rows)) - 1
        X, Y = np.zeros(shape, int), np.zeros(shape, int)
        for r, row in enumerate(rows):
            X[r, : len(row) - 1] = row[:-1]
            Y[r, : len(row) - 1] = row[1:]
        minibatches.append((X, Y, (Y != 0).astype(int)))
    return minibatches
# %% [sentence_minibatches] wrong 3/5: the last word is read where there is room
# says: that word has no label in its sentence
def sentence_minibatches(sentences, batch_size, by_length):
    if by_length:
        sentences = sorted(sentences, key=len)
    minibatches = []
    for i in range(0, len(sentences), batch_size):
        rows = sentences[i : i + batch_size]
        whole = np.zeros((len(rows), max(map(len, rows))), int)
        for r, row in enumerate(rows):
            whole[r, : len(row)] = row
        steps = np.array([[len(row) - 1] for row in rows])
        M = (np.arange(whole.shape[1] - 1) < steps).astype(int)
        minibatches.append((whole[:, :-1], whole[:, 1:], M))
    return minibatches
# %% [sentence_minibatches] wrong 4/5: longest first
# says: The longest sentences come first; the shortest should
def sentence_minibatches(sentences, batch_size, by_length):
    if by_length:
        sentences = sorted(sentences, key=len, reverse=True)
    minibatches = []
    for i in range(0, len(sentences), batch_size):
        rows = sentences[i : i + batch_size]
        shape = len(rows), max(map(len, rows)) - 1
        X, Y, M = (np.zeros(shape, int) for _ in range(3))
        for r, row in enumerate(rows):
            X[r, : len(row) - 1] = row[:-1]
            Y[r, : len(row) - 1] = row[1:]
            M[r, : len(row) - 1] = 1
        minibatches.append((X, Y, M))
    return minibatches
# %% [sentence_minibatches] wrong 3/5: padded to the longest of all
# says: pad to the longest of the minibatch
def sentence_minibatches(sentences, batch_size, by_length):
    if by_length:
        sentences = sorted(sentences, key=len)
    longest = max(map(len, sentences)) - 1
    minibatches = []
    for i in range(0, len(sentences), batch_size):
        rows = sentences[i : i + batch_size]
        X, Y, M = (np.zeros((len(rows), longest), int) for _ in range(3))
        for r, row in enumerate(rows):
            X[r, : len(row) - 1] = row[:-1]
            Y[r, : len(row) - 1] = row[1:]
            M[r, : len(row) - 1] = 1
        minibatches.append((X, Y, M))
    return minibatches
# %% [sentence_minibatches] wrong 3/5: the last minibatch is dropped
# says: The last sentences are missing
def sentence_minibatches(sentences, batch_size, by_length):
    if by_length:
        sentences = sorted(sentences, key=len)
    minibatches = []
    for i in range(0, len(sentences) - batch_size + 1, batch_size):
        rows = sentences[i : i + batch_size]
        shape = len(rows), max(map(len, rows)) - 1
        X, Y, M = (np.zeros(shape, int) for _ in range(3))
        for r, row in enumerate(rows):
            X[r, : len(row) - 1] = row[:-1]
            Y[r, : len(row) - 1] = row[1:]
            M[r, : len(row) - 1] = 1
        minibatches.append((X, Y, M))
    return minibatches
# %% [sentence_minibatches] wrong 1/5: labels from the next sentence
# says: of which 3 have a label in it
def sentence_minibatches(sentences, batch_size, by_length):
    if by_length:
        sentences = sorted(sentences, key=len)
    minibatches = []
    for i in range(0, len(sentences), batch_size):
        rows = sentences[i : i + batch_size]
        after = [s[0] for s in sentences[i + 1 : i + 1 + len(rows)]] + [0]
        shape = len(rows), max(map(len, rows))
        X, Y, M = (np.zeros(shape, int) for _ in range(3))
        for r, row in enumerate(rows):
            X[r, : len(row)] = row
            Y[r, : len(row)] = row[1:] + [after[r]]
            M[r, : len(row)] = 1
        minibatches.append((X, Y, M))
    return minibatches
