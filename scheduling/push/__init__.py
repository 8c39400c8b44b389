"""Pushes: hints, through the channel layer, to open pages that there is something new to read.

A push carries no content. Who hears it reads the rows, and also reads them now and then without having heard anything,
so a push that is lost costs a moment's delay and nothing else.
"""
