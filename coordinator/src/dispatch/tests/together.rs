//! What is the same and waits at the same time is asked once; what is not the same never is.

use super::*;

fn of(principal: &str, purpose: &str, allow_partial: bool) -> Arc<QueryContext> {
    let id = "q1".parse().unwrap();
    Arc::new(QueryContext::new(id, principal.to_owned(), purpose.to_owned(), allow_partial, LIMIT))
}

/// Asks in the background.
fn ask(
    federation: &Arc<Federation>,
    context: &Arc<QueryContext>,
) -> tokio::task::JoinHandle<Result<Arc<Released>, DispatchError>> {
    let (federation, context) = (Arc::clone(federation), Arc::clone(context));
    tokio::spawn(async move { federation.ask(&context, &fragment(), schema(), None).await })
}

fn rows(released: &Released) -> usize {
    released.batches().map(RecordBatch::num_rows).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_questions_that_wait_share_one_asking_that_begins_after_they_came() {
    let node = FakeNode::start("one", Manner::Slowly(80));
    let federation = federation(&[(node.id, node.address)]);
    let first = ask(&federation, &context(false));
    while node.asked() == 0 {
        tokio::task::yield_now().await;
    }
    // The first is being answered already: what it is told may be older than these questions.
    let contexts: Vec<_> = (0..16).map(|_| context(false)).collect();
    let others: Vec<_> = contexts.iter().map(|context| ask(&federation, context)).collect();
    assert_eq!(rows(&first.await.unwrap().unwrap()), 2);
    for (other, context) in others.into_iter().zip(&contexts) {
        assert_eq!(rows(&other.await.unwrap().unwrap()), 2);
        assert_eq!(status(context, "one").0, "answered", "each is told what became of the nodes");
        let progress = context.progress().borrow().clone();
        assert_eq!((progress.asked, progress.answered, progress.waiting.len()), (1, 1, 0));
    }
    // One for the first, one for all others; on a machine that is busy some come later than the rest.
    let asked = node.asked();
    assert!((2..=4).contains(&asked), "seventeen questions were asked {asked} times");
    assert_eq!(rows(&ask(&federation, &context(false)).await.unwrap().unwrap()), 2);
    assert_eq!(node.asked(), asked + 1, "an answer was kept");
    node.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_others_for_other_purposes_or_on_other_terms_are_asked_alone() {
    let node = FakeNode::start("one", Manner::Slowly(50));
    let federation = federation(&[(node.id, node.address)]);
    let contexts = [
        of("ada", "planning", false),
        of("eve", "planning", false),
        of("ada", "curiosity", false),
        of("ada", "planning", true),
    ];
    let asked: Vec<_> = contexts.iter().map(|context| ask(&federation, context)).collect();
    for asked in asked {
        assert_eq!(rows(&asked.await.unwrap().unwrap()), 2);
    }
    assert_eq!(node.asked(), 4);
    node.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_takes_nothing_from_the_others_and_the_last_ends_the_work() {
    let node = FakeNode::start("one", Manner::Slowly(200));
    let federation = federation(&[(node.id, node.address)]);
    let (first, leader, follower) = (
        ask(&federation, &context(false)),
        ask(&federation, &context(false)),
        ask(&federation, &context(false)),
    );
    tokio::time::sleep(Duration::from_millis(20)).await;
    first.abort();
    leader.abort();
    assert_eq!(rows(&follower.await.unwrap().unwrap()), 2);
    node.kill();
    let node = FakeNode::start("one", Manner::NeverEnds);
    let federation = self::federation(&[(node.id, node.address)]);
    let both = [ask(&federation, &context(false)), ask(&federation, &context(false))];
    while !node.seen.begun.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    both.iter().for_each(tokio::task::JoinHandle::abort);
    let start = Instant::now();
    while !node.seen.dropped.load(Ordering::SeqCst) {
        assert!(start.elapsed() < Duration::from_secs(1), "the node still works on it");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    node.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asking_that_hangs_holds_nobody_up() {
    let node = FakeNode::start("one", Manner::NeverBegins);
    let federation = federation(&[(node.id, node.address)]);
    let hanging = ask(&federation, &context(false));
    while node.asked() == 0 {
        tokio::task::yield_now().await;
    }
    let next = ask(&federation, &context(false));
    let start = Instant::now();
    while node.asked() < 2 {
        assert!(start.elapsed() < Duration::from_secs(1), "the next waits for one that hangs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    hanging.abort();
    next.abort();
    node.kill();
}
