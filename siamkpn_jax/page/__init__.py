"""The web page of `siamkpn demo`: draw a box in a browser, watch it tracked.

From the bottom up: limits; turns (one worker, a queue); groups (trackers of one
target or many); clip (a video and what is known of it) and following (tracks in
it); outputs and sample; store (all clips, and when they go); guard (who may
ask); camera and app (what a browser talks to); server (a process of it).
"""
