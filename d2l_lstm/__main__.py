"""`python -m d2l_lstm`: the command `d2l-lstm`."""

from d2l_lstm_command import main

if __name__ == "__main__":
    main()
