# Other solutions and wrong answers of 06_generation. Each section is the whole solution
# cell; the first line says its question, its kind and its points.

# %% [sharpened] other: softmax, then the power of logarithms, by Paddle
def sharpened(S, temperature, alpha):
    log_P = F.log_softmax(paddle.to_tensor(np.asarray(S)[1:]) / temperature, axis=0)
    rest = F.softmax(alpha * log_P, axis=0).numpy()
    return np.concatenate([np.zeros(1, rest.dtype), rest])
# %% [sharpened] other: probabilities first, as the formula has it
def sharpened(S, temperature, alpha):
    P = np.zeros(len(S))
    P[1:] = np.exp((S[1:] - np.max(S[1:])) / temperature)
    P /= P.sum()
    Q = P**alpha
    return Q / Q.sum()
# %% [sharpened] wrong 0/5: a power 1 % too large
def sharpened(S, temperature, alpha):
    y = 1.01 * S * (alpha / temperature)
    y = np.exp(y - y[1:].max())
    y[0] = 0
    return y / y.sum()
# %% [sharpened] wrong 1/5: divided by alpha
# says: You took the root
def sharpened(S, temperature, alpha):
    y = S / (alpha * temperature)
    y = np.exp(y - y[1:].max())
    y[0] = 0
    return y / y.sum()
# %% [sharpened] wrong 3/5: multiplied by the temperature
# says: A lower temperature must make the best one likelier
def sharpened(S, temperature, alpha):
    y = S * alpha * temperature
    y = np.exp(y - y[1:].max())
    y[0] = 0
    return y / y.sum()
# %% [sharpened] wrong 0/5: `<unk>` takes part
# says: <unk> has probability
def sharpened(S, temperature, alpha):
    y = S * alpha / temperature
    y = np.exp(y - y.max())
    return y / y.sum()
# %% [sharpened] wrong 0/5: `<unk>` is cut off after the division
# says: Your probabilities sum to
def sharpened(S, temperature, alpha):
    y = S * alpha / temperature
    y = np.exp(y - y.max())
    y = y / y.sum()
    y[0] = 0
    return y
# %% [sharpened] wrong 4/5: too large for exp
# says: is too large a number
def sharpened(S, temperature, alpha):
    y = np.exp(S / temperature) ** alpha
    y[0] = 0
    return y / y.sum()
# %% [sharpened] wrong 1/5: no power
# says: what becomes of 0.8
def sharpened(S, temperature, alpha):
    y = S / temperature
    y = np.exp(y - y[1:].max())
    y[0] = 0
    return y / y.sum()
# %% [sharpened] wrong 0/5: the function of the package
# says: next_token_probabilities
def sharpened(S, temperature, alpha):
    from d2l_lstm.generation import next_token_probabilities

    return next_token_probabilities(S, temperature / alpha)

# %% [keep_likely] other: token by token, in a loop
def keep_likely(P, top_k, top_p):
    best = sorted(range(len(P)), key=lambda i: P[i], reverse=True)
    if top_k is not None:
        best = best[:top_k]
    total = sum(P[i] for i in best)
    if top_p is not None:
        kept, reached = [], 0.0
        for i in best:
            kept.append(i)
            reached += P[i] / total
            if reached >= top_p:
                break
        best, total = kept, sum(P[i] for i in kept)
    Q = np.zeros(len(P))
    for i in best:
        Q[i] = P[i] / total
    return Q
# %% [keep_likely] wrong 1/4: the token that completes p is cut off
# says: The token that completes p stays
def keep_likely(P, top_k, top_p):
    P = np.array(P)
    order = np.argsort(-P)
    if top_k is not None:
        P[order[top_k:]] = 0
        P /= P.sum()
    if top_p is not None and top_p < 1:
        after = np.cumsum(P[order])
        P[order[after > top_p]] = 0
        P /= P.sum()
    return P
# %% [keep_likely] wrong 3/4: not divided between the cuts
# says: Between the two cuts you do not divide by the sum
def keep_likely(P, top_k, top_p):
    P = np.array(P)
    order = np.argsort(-P)
    before = np.cumsum(P[order]) - P[order]
    if top_k is not None:
        P[order[top_k:]] = 0
    if top_p is not None:
        P[order[before >= top_p]] = 0
    return P / P.sum()
# %% [keep_likely] wrong 1/4: added up in the order of the tokens
# says: begin with the most probable
def keep_likely(P, top_k, top_p):
    P = np.array(P)
    if top_k is not None:
        P[np.argsort(-P)[top_k:]] = 0
        P /= P.sum()
    if top_p is not None:
        P[np.cumsum(P) - P >= top_p] = 0
        P /= P.sum()
    return P
# %% [keep_likely] wrong 0/4: nothing is divided
def keep_likely(P, top_k, top_p):
    P = np.array(P)
    order = np.argsort(-P)
    if top_k is not None:
        P[order[top_k:]] = 0
    if top_p is not None:
        before = np.cumsum(P[order]) - P[order]
        P[order[before >= top_p]] = 0
    return P
# %% [keep_likely] wrong 2/4: the least probable, and one too few
# says: You keep the least probable tokens
def keep_likely(P, top_k, top_p):
    P = np.array(P)
    if top_k is not None:
        P[np.argsort(P)[top_k:]] = 0
        P /= P.sum()
    if top_p is not None:
        order = np.argsort(-P)
        before = np.cumsum(P[order]) - P[order]
        P[order[before >= top_p]] = 0
        P /= P.sum()
    return P
# %% [keep_likely] wrong 0/4: sorted
# says: Your probabilities are sorted
def keep_likely(P, top_k, top_p):
    P = np.sort(P)[::-1].copy()
    if top_k is not None:
        P[top_k:] = 0
        P /= P.sum()
    if top_p is not None:
        P[np.cumsum(P) - P >= top_p] = 0
        P /= P.sum()
    return P

# %% [greedy_loop] other: the index of each token's first visit
def greedy_loop(P, start):
    best = np.argmax(P, axis=1)
    first, token, log = {}, start, [0.0]
    while token not in first:
        first[token] = len(first)
        log.append(log[-1] + np.log(P[token, best[token]]))
        token = best[token]
    onset = first[token]
    return onset, len(first) - onset, np.exp(log[-1] - log[onset])
# %% [greedy_loop] wrong 2/4: the way into the loop is counted as a part of the round
# says: the way into the loop is no part of a round
def greedy_loop(P, start):
    text, stay = [start], 1.0
    while text[-1] not in text[:-1]:
        text.append(int(P[text[-1]].argmax()))
        stay *= P[text[-2], text[-1]]
    onset = text.index(text[-1])
    return onset, len(text) - 1 - onset, stay
# %% [greedy_loop] wrong 2/4: the step back to the onset is missing
# says: The step from the end of the loop back
def greedy_loop(P, start):
    text = [start]
    while text[-1] not in text[:-1]:
        text.append(int(P[text[-1]].argmax()))
    onset = text.index(text[-1])
    stay = 1.0
    for i, j in zip(text[onset:-2], text[onset + 1 : -1]):
        stay *= P[i, j]
    return onset, len(text) - 1 - onset, stay
# %% [greedy_loop] circulating 2/4: greedy prediction stays for certain
# says: Where each step has 0.5
def greedy_loop(P, start):
    text = [start]
    while text[-1] not in text[:-1]:
        text.append(int(P[text[-1]].argmax()))
    onset = text.index(text[-1])
    return onset, len(text) - 1 - onset, 1.0
# %% [greedy_loop] wrong 2/4: the length of the text as its period
def greedy_loop(P, start):
    text = [start]
    while text[-1] not in text[:-1]:
        text.append(int(P[text[-1]].argmax()))
    onset = text.index(text[-1])
    stay = 1.0
    for i, j in zip(text[onset:], text[onset + 1 :]):
        stay *= P[i, j]
    return onset, len(text) - 1, stay
# %% [greedy_loop] wrong 0/4: columns instead of rows
def greedy_loop(P, start):
    P = P.T
    text = [start]
    while text[-1] not in text[:-1]:
        text.append(int(P[text[-1]].argmax()))
    onset = text.index(text[-1])
    stay = 1.0
    for i, j in zip(text[onset:], text[onset + 1 :]):
        stay *= P[i, j]
    return onset, len(text) - 1 - onset, stay

# %% [word_corpus] other: counted by hand
def word_corpus(lines, min_freq):
    counts = {}
    words = " ".join(lines).split()
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    table = ["<unk>"]
    table += sorted((w for w in counts if counts[w] >= min_freq), key=counts.get)[::-1]
    table[1:] = sorted(table[1:], key=lambda w: (-counts[w], words.index(w)))
    index = {word: i for i, word in enumerate(table)}
    return [index.get(word, 0) for word in words], table
# %% [word_corpus] circulating 2/4: characters go into a vocabulary of words
# says: characters do not go into a vocabulary of words
def word_corpus(lines, min_freq):
    words = [word for line in lines for word in line.split()]
    vocab = d2l.Vocab(words, min_freq=min_freq)
    return vocab[list("".join(lines))], vocab.idx_to_token
# %% [word_corpus] circulating 2/4: characters, the lines joined with spaces
# says: characters do not go into a vocabulary of words
def word_corpus(lines, min_freq):
    words = [word for line in lines for word in line.split()]
    vocab = d2l.Vocab(words, min_freq=min_freq)
    return vocab[list(" ".join(lines))], vocab.idx_to_token
# %% [word_corpus] wrong 0/4: a corpus of characters
def word_corpus(lines, min_freq):
    vocab = d2l.Vocab("".join(lines), min_freq=min_freq)
    return vocab[list("".join(lines))], vocab.idx_to_token
# %% [word_corpus] wrong 0/4: words fuse at the ends of lines
# says: two have fused
def word_corpus(lines, min_freq):
    words = "".join(lines).split()
    vocab = d2l.Vocab(words, min_freq=min_freq)
    return vocab[words], vocab.idx_to_token
# %% [word_corpus] wrong 2/4: rare words are dropped
def word_corpus(lines, min_freq):
    words = [word for line in lines for word in line.split()]
    vocab = d2l.Vocab(words, min_freq=min_freq)
    return vocab[[word for word in words if word in vocab]], vocab.idx_to_token
# %% [word_corpus] wrong 0/4: in the order of the alphabet
# says: in the order of the alphabet
def word_corpus(lines, min_freq):
    words = [word for line in lines for word in line.split()]
    kept = sorted(word for word in set(words) if words.count(word) >= min_freq)
    table = ["<unk>", *kept]
    return [table.index(word) if word in kept else 0 for word in words], table
# %% [word_corpus] wrong 0/4: no `<unk>`
def word_corpus(lines, min_freq):
    words = [word for line in lines for word in line.split()]
    table = d2l.Vocab(words, min_freq=min_freq).idx_to_token[1:]
    return [table.index(word) for word in words if word in table], table

# %% [word_model] other: one-hot inputs, steps first
def word_model(vocab_size, num_hiddens):
    class Net(nn.Layer):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(vocab_size, num_hiddens, time_major=True)
            self.dense = nn.Linear(num_hiddens, vocab_size)

        def forward(self, X, state=None):
            H, state = self.rnn(F.one_hot(X.T, vocab_size), state)
            return self.dense(H).transpose([1, 0, 2]), state

    return Net()
# %% [word_model] circulating 2/6: a bidirectional LSTM
# says: as a bidirectional one does
def word_model(vocab_size, num_hiddens):
    class WordModel(nn.Layer):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, num_hiddens)
            self.lstm = nn.LSTM(num_hiddens, num_hiddens, direction="bidirect")
            self.output = nn.Linear(2 * num_hiddens, vocab_size)

        def forward(self, X, state=None):
            H, state = self.lstm(self.embedding(X), state)
            return self.output(H), state

    return WordModel()
# %% [word_model] circulating 4/6: an input layer for 28 characters, an output layer for words
# says: as for a vocabulary of 28 characters
def word_model(vocab_size, num_hiddens):
    class WordModel(nn.Layer):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(28, num_hiddens)
            self.output = nn.Linear(num_hiddens, vocab_size)

        def forward(self, X, state=None):
            H, state = self.lstm(F.one_hot(X % 1000, 28), state)
            return self.output(H), state

    return WordModel()
# %% [word_model] wrong 4/6: the state is not used
# says: You began anew, and not from the state given
def word_model(vocab_size, num_hiddens):
    class WordModel(nn.Layer):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, num_hiddens)
            self.lstm = nn.LSTM(num_hiddens, num_hiddens)
            self.output = nn.Linear(num_hiddens, vocab_size)

        def forward(self, X, state=None):
            H, state = self.lstm(self.embedding(X))
            return self.output(H), state

    return WordModel()
# %% [word_model] wrong 2/6: rows taken for steps
# says: takes the rows for steps
def word_model(vocab_size, num_hiddens):
    class WordModel(nn.Layer):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, num_hiddens)
            self.lstm = nn.LSTM(num_hiddens, num_hiddens, time_major=True)
            self.output = nn.Linear(num_hiddens, vocab_size)

        def forward(self, X, state=None):
            H, state = self.lstm(self.embedding(X), state)
            return self.output(H), state

    return WordModel()
# %% [word_model] wrong 2/6: keeps a state of its own
# says: your network keeps a state of its own
def word_model(vocab_size, num_hiddens):
    class WordModel(nn.Layer):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, num_hiddens)
            self.lstm = nn.LSTM(num_hiddens, num_hiddens)
            self.output = nn.Linear(num_hiddens, vocab_size)
            self.state = None

        def forward(self, X, state=None):
            if state is None and self.state is not None:
                if self.state[0].shape[1] == len(X):
                    state = self.state
            H, self.state = self.lstm(self.embedding(X), state)
            return self.output(H), self.state

    return WordModel()
# %% [word_model] wrong 0/6: scores for the last step only
def word_model(vocab_size, num_hiddens):
    class WordModel(nn.Layer):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, num_hiddens)
            self.lstm = nn.LSTM(num_hiddens, num_hiddens)
            self.output = nn.Linear(num_hiddens, vocab_size)

        def forward(self, X, state=None):
            H, state = self.lstm(self.embedding(X), state)
            return self.output(H[:, -1]), state

    return WordModel()

# %% [write_words] other: one loop for reading and writing
def write_words(prefix, num_preds, step, state, idx_to_token):
    index = {word: i for i, word in enumerate(idx_to_token)}
    words, i = prefix.split(), 0
    number = len(words) + num_preds
    while len(words) < number or i < len(words):
        if i == len(words):
            best = sorted(range(1, len(scores)), key=lambda j: scores[j])[-1]
            words.append(idx_to_token[best])
            if len(words) == number:
                break
        scores, state = step(index.get(words[i], 0), state)
        i += 1
    return " ".join(words)
# %% [write_words] circulating 0/4: the prefix is read by characters
# says: You read the prefix character by character
def write_words(prefix, num_preds, step, state, idx_to_token):
    for c in prefix:
        scores, state = step(idx_to_token.index(c) if c in idx_to_token else 0, state)
    words = [prefix]
    for _ in range(num_preds):
        index = 1 + int(np.argmax(scores[1:]))
        words.append(idx_to_token[index])
        scores, state = step(index, state)
    return " ".join(words)
# %% [write_words] wrong 0/4: only the last word is read
def write_words(prefix, num_preds, step, state, idx_to_token):
    words = prefix.split()
    last = words[-1]
    scores, state = step(idx_to_token.index(last) if last in idx_to_token else 0, state)
    for _ in range(num_preds):
        index = 1 + int(np.argmax(scores[1:]))
        words.append(idx_to_token[index])
        scores, state = step(index, state)
    return " ".join(words)
# %% [write_words] wrong 2/4: the last word is read twice
# says: The last word of the prefix is read twice
def write_words(prefix, num_preds, step, state, idx_to_token):
    words = prefix.split()
    outputs = [idx_to_token.index(w) if w in idx_to_token else 0 for w in words]
    for index in outputs:
        scores, state = step(index, state)
    for _ in range(num_preds):
        scores, state = step(outputs[-1], state)
        outputs.append(1 + int(np.argmax(scores[1:])))
        words.append(idx_to_token[outputs[-1]])
    return " ".join(words)
# %% [write_words] wrong 2/4: `<unk>` is written
# says: <unk> is written
def write_words(prefix, num_preds, step, state, idx_to_token):
    words = prefix.split()
    for word in words:
        index = idx_to_token.index(word) if word in idx_to_token else 0
        scores, state = step(index, state)
    for _ in range(num_preds):
        index = int(np.argmax(scores))
        words.append(idx_to_token[index])
        scores, state = step(index, state)
    return " ".join(words)
# %% [write_words] wrong 2/4: the state is not handed on
# says: The state is not handed on
def write_words(prefix, num_preds, step, state, idx_to_token):
    words = prefix.split()
    for word in words:
        index = idx_to_token.index(word) if word in idx_to_token else 0
        scores, _ = step(index, state)
    for _ in range(num_preds):
        index = 1 + int(np.argmax(scores[1:]))
        words.append(idx_to_token[index])
        scores, _ = step(index, state)
    return " ".join(words)
# %% [write_words] wrong 2/4: the index off by one
def write_words(prefix, num_preds, step, state, idx_to_token):
    words = prefix.split()
    for word in words:
        index = idx_to_token.index(word) if word in idx_to_token else 0
        scores, state = step(index, state)
    for _ in range(num_preds):
        index = int(np.argmax(scores[1:]))
        words.append(idx_to_token[index])
        scores, state = step(index, state)
    return " ".join(words)
# %% [write_words] wrong 2/4: words without spaces
# says: Words are joined with spaces
def write_words(prefix, num_preds, step, state, idx_to_token):
    words = prefix.split()
    for word in words:
        index = idx_to_token.index(word) if word in idx_to_token else 0
        scores, state = step(index, state)
    text = prefix
    for _ in range(num_preds):
        index = 1 + int(np.argmax(scores[1:]))
        text += idx_to_token[index]
        scores, state = step(index, state)
    return text
# %% [write_words] wrong 2/4: an unknown word stops it
def write_words(prefix, num_preds, step, state, idx_to_token):
    words = prefix.split()
    for word in words:
        scores, state = step(idx_to_token.index(word), state)
    for _ in range(num_preds):
        index = 1 + int(np.argmax(scores[1:]))
        words.append(idx_to_token[index])
        scores, state = step(index, state)
    return " ".join(words)

# %% [both_perplexities] other: in bits
def both_perplexities(nats, words, known):
    bits = np.asarray(nats) / np.log(2)
    long = " ".join(words) + " "
    extra = "".join(word + " " for word, k in zip(words, known) if not k)
    all_bits = bits.sum() + len(extra) * np.log2(27)
    return 2 ** bits.mean(), 2 ** (all_bits / len(long))
# %% [both_perplexities] other: in float32
def both_perplexities(nats, words, known):
    nats = np.asarray(nats, dtype="float32")
    size = np.array([len(word) + 1 for word in words], "float32")
    spell = np.where(known, 0, size).astype("float32") * np.float32(np.log(27))
    return np.exp(nats.mean()), np.exp((nats + spell).sum() / size.sum())
# %% [both_perplexities] wrong 1/5: 1 % too large for each character
def both_perplexities(nats, words, known):
    characters = sum(len(word) + 1 for word in words)
    spelled = sum(len(word) + 1 for word, k in zip(words, known) if not k)
    total = np.sum(nats) + spelled * np.log(27)
    return np.exp(np.mean(nats)), 1.01 * np.exp(total / characters)
# %% [both_perplexities] wrong 1/5: without the spaces
# says: The spaces are missing
def both_perplexities(nats, words, known):
    characters = sum(len(word) for word in words)
    spelled = sum(len(word) for word, k in zip(words, known) if not k)
    total = np.sum(nats) + spelled * np.log(27)
    return np.exp(np.mean(nats)), np.exp(total / characters)
# %% [both_perplexities] circulating 1/5: the perplexity divided by the length of a word
# says: divide the nats, before exp
def both_perplexities(nats, words, known):
    word = np.exp(np.mean(nats))
    return word, word / np.mean([len(w) + 1 for w in words])
# %% [both_perplexities] circulating 1/5: perplexities are compared as they are
def both_perplexities(nats, words, known):
    return np.exp(np.mean(nats)), np.exp(np.mean(nats))
# %% [both_perplexities] wrong 3/5: `<unk>` is for free
# says: The spelling of 'man' is missing
def both_perplexities(nats, words, known):
    characters = sum(len(word) + 1 for word in words)
    return np.exp(np.mean(nats)), np.exp(np.sum(nats) / characters)
# %% [both_perplexities] wrong 3/5: spelling instead of `<unk>`
# says: The nats of <unk> are missing
def both_perplexities(nats, words, known):
    total = 0.0
    for s, word, k in zip(nats, words, known):
        total += s if k else (len(word) + 1) * np.log(27)
    characters = sum(len(word) + 1 for word in words)
    return np.exp(np.mean(nats)), np.exp(total / characters)
# %% [both_perplexities] wrong 4/5: the mean of perplexities
def both_perplexities(nats, words, known):
    characters = sum(len(word) + 1 for word in words)
    spelled = sum(len(word) + 1 for word, k in zip(words, known) if not k)
    total = np.sum(nats) + spelled * np.log(27)
    return np.mean(np.exp(nats)), np.exp(total / characters)
# %% [both_perplexities] wrong 1/5: a mean over words
# says: You take the mean over words of nats for a character
def both_perplexities(nats, words, known):
    each = []
    for s, word, k in zip(nats, words, known):
        size = len(word) + 1
        each.append((s + (0 if k else size * np.log(27))) / size)
    return np.exp(np.mean(nats)), np.exp(np.mean(each))
