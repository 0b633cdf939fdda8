"""The browser: a page on which films are made, and the server behind it.

A film is a process of its own over an ordinary job folder. The server reads what these write and
sends them signals, so that it can be closed, killed and started again while they go on. A live
dream is such a process too.
"""
