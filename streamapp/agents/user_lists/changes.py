"""Changes: lists for users as they are made -> those that do not stand already."""

from collections.abc import Mapping

from streamapp.agents.user_lists.blender import Made, UserListBlender
from streamapp.agents.user_lists.published import PublishedList, differing
from streamapp.core.list_kinds import USER
from streamapp.core.lists.list_format import entries_of
from streamapp.store.lists import Lists


async def changes(
    lists: Lists, blender: UserListBlender, shown: Mapping[str, PublishedList], made: Made, seq: int
) -> dict[str, tuple[bytes, int]]:
    """Return the lists that are to be published, encoded, and their digests, by user.

    Args:
        lists: Those that stand.
        blender: Who made the new ones.
        shown: What is known of those that stand, by user; it is told what new ones are made of.
        made: The new ones, in the same order.
        seq: Of all of them.
    """
    users, digests = list(shown), made.digest.tolist()
    lines = differing(list(shown.values()), made)
    if not lines:
        return {}
    names = [users[line] for line in lines]
    contents = blender.encoded(made, lines, names, seq)
    told = [digests[line] for line in lines]
    changed = dict(zip(names, zip(contents, told, strict=True), strict=True))
    unread = [name for name, (new, _) in changed.items() if shown[name].unread(new)]
    for name, stands in zip(unread, await lists.standing(USER, unread), strict=True):
        content, digest = changed[name]
        if entries_of(stands) == entries_of(content):
            shown[name].digest = digest
            del changed[name]
    return changed
