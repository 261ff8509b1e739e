NAMES = ()


def buildable() -> list[str]:
    return []
