import pytest

from motet.agents.one_thing import asks_one_thing, to_work_out


@pytest.mark.parametrize(
    ("question", "one"),
    [
        ("How much extra do you pay if you bring your dog?", True),
        ("Is breakfast included?", True),
        ("By when do I have to leave my room?", True),
        ("What do I pay when it rains?", True),
        ("What does the TR-40 cost in 2024?", True),
        ("Who can work in one notebook?", True),
        ("how old do you have to be to sail", True),
        ("What does a dog cost, and what does a cat cost?", False),
        ("When you bring a dog, how much do you pay?", False),
        ("What is a lamp? What is a tent?", False),
        ("What do two tents cost?", False),
        ("What do 24 adults pay?", False),
        ("What do adults pay in all?", False),
        ("How much more than a lamp is a tent?", False),
        ("Compare the lamp and the tent.", False),
        ("Tell me about the lamp.", False),
        ("狗在旅馆要另付多少钱？", True),
        ("主楼是哪一年建成的？", True),
        ("可不可以带狗？", True),
        ("早餐包括在内吗？", True),
        ("TR-40 的保修期是多久", True),
        ("学生年费是多少？退会要交多少手续费？", False),
        ("周末几点关门，儿童要不要买票？", False),
        ("茶水应该多热，泡多久", False),
        ("三顶帐篷要多少钱？", False),
        ("一盏灯比一顶帐篷便宜多少？", False),
        ("成人一共付多少？", False),
        ("介绍一下商店。", False),
        ("", False),
    ],
)
def test_one_thing_is_asked_or_more_than_that(question: str, *, one: bool) -> None:
    assert asks_one_thing(question) is one


@pytest.mark.parametrize(
    ("question", "worked_out"),
    [
        ("What do 24 adults pay?", True),
        ("How much is that altogether?", True),
        ("What does the TR-40 weigh, and what did one cost in 2024?", False),
        ("ticket weight", False),
        ("三顶帐篷要多少钱？", True),
        ("合计多少？", True),
        ("帐篷有多重？", False),
    ],
)
def test_what_is_asked_may_have_to_be_worked_out(question: str, *, worked_out: bool) -> None:
    assert to_work_out(question) is worked_out
