"""What a dream runs on: devices and their memory, standard streams, a thread beside the dream.

Empty on purpose: `streams` is wanted before torch is imported, which `devices` needs.
"""
