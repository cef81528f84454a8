package main

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/backoff"
	"github.com/mesos/mesos-go/api/v1/lib/encoding"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/callrules"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/controller"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/eventrules"
	"github.com/mesos/mesos-go/api/v1/lib/extras/store"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/events"
)

const role = "mesos-go"

// framework is a scheduler and what it has heard.
type framework struct {
	calls.Caller
	id      store.Singleton
	stop    context.CancelFunc
	ended   chan error
	changed chan struct{}

	mutex         sync.Mutex
	connections   map[net.Conn]bool
	subscriptions int
	offers        map[mesos.OfferID]mesos.Offer
	statuses      map[string][]mesos.TaskStatus
	operations    map[string]mesos.OperationState
	messages      []string
	failures      []scheduler.Event_Failure
	errors        []string
}

// start subscribes a framework; with an id it takes over from the one who had it.
func start(master string, codec encoding.Codec, id string) *framework {
	ctx, stop := context.WithCancel(context.Background())
	me := &framework{
		id:          store.NewInMemorySingleton(),
		stop:        stop,
		ended:       make(chan error, 1),
		changed:     make(chan struct{}, 1),
		connections: map[net.Conn]bool{},
		offers:      map[mesos.OfferID]mesos.Offer{},
		statuses:    map[string][]mesos.TaskStatus{},
		operations:  map[string]mesos.OperationState{},
	}
	must("store", me.id.Set(id))
	client := httpcli.New(
		httpcli.Endpoint("http://"+master+"/api/v1/scheduler"),
		httpcli.Codec(codec),
		httpcli.Do(httpcli.With(httpcli.Transport(func(transport *http.Transport) {
			transport.DialContext = me.dial
		}))),
	)
	me.Caller = callrules.WithFrameworkID(store.GetIgnoreErrors(me.id)).Caller(
		httpsched.NewCaller(client))
	go func() { me.ended <- me.run(ctx) }()
	me.await("subscribed", func() bool { return me.subscriptions > 0 })
	return me
}

func (me *framework) run(ctx context.Context) error {
	failover := 600.0
	info := &mesos.FrameworkInfo{
		User:            "root",
		Name:            "mesos-go e2e",
		Roles:           []string{role},
		FailoverTimeout: &failover,
		Checkpoint:      yes(),
		Labels:          &mesos.Labels{Labels: []mesos.Label{{Key: "written in", Value: text("Go")}}},
		Capabilities: []mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE},
			{Type: mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT},
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE},
			{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE},
		},
	}
	return controller.Run(ctx, info, me,
		controller.WithEventHandler(me.handlers()),
		controller.WithFrameworkID(store.GetIgnoreErrors(me.id)),
		controller.WithRegistrationTokens(
			backoff.Notifier(100*time.Millisecond, time.Second, ctx.Done())),
		controller.WithSubscriptionTerminated(func(err error) {
			if err != nil && err != io.EOF && ctx.Err() == nil {
				log.Printf("subscription: %v", err)
			}
		}),
	)
}

func (me *framework) handlers() events.Handler {
	return controller.LiftErrors().Handle(events.Handlers{
		scheduler.Event_SUBSCRIBED: eventrules.Rules{
			controller.TrackSubscription(me.id, 10*time.Minute),
			eventrules.HandleF(me.noted(func(*scheduler.Event) {
				me.subscriptions++
				me.offers = map[mesos.OfferID]mesos.Offer{}
			})),
		},
		scheduler.Event_OFFERS: me.noted(func(event *scheduler.Event) {
			for _, offer := range event.GetOffers().GetOffers() {
				me.offers[offer.ID] = offer
			}
		}),
		scheduler.Event_RESCIND: me.noted(func(event *scheduler.Event) {
			delete(me.offers, event.GetRescind().OfferID)
		}),
		scheduler.Event_UPDATE: controller.AckStatusUpdates(me).AndThen().HandleF(
			me.noted(func(event *scheduler.Event) {
				status := event.GetUpdate().Status
				id := status.TaskID.Value
				me.statuses[id] = append(me.statuses[id], status)
			})),
		scheduler.Event_UPDATE_OPERATION_STATUS: controller.AckOperationUpdates(me).AndThen().HandleF(
			me.noted(func(event *scheduler.Event) {
				status := event.GetUpdateOperationStatus().Status
				me.operations[status.GetOperationID().GetValue()] = status.State
			})),
		scheduler.Event_MESSAGE: me.noted(func(event *scheduler.Event) {
			me.messages = append(me.messages, string(event.GetMessage().Data))
		}),
		scheduler.Event_FAILURE: me.noted(func(event *scheduler.Event) {
			me.failures = append(me.failures, *event.GetFailure())
		}),
		scheduler.Event_ERROR: me.noted(func(event *scheduler.Event) {
			me.errors = append(me.errors, event.GetError().GetMessage())
		}),
	})
}

// noted makes a handler that keeps something of an event and wakes those who await it.
func (me *framework) noted(keep func(*scheduler.Event)) events.HandlerFunc {
	return func(_ context.Context, event *scheduler.Event) error {
		me.mutex.Lock()
		keep(event)
		me.mutex.Unlock()
		select {
		case me.changed <- struct{}{}:
		default:
		}
		return nil
	}
}

// await waits until what has been heard fulfils a condition.
func (me *framework) await(what string, holds func() bool) {
	deadline := time.After(patience)
	for {
		me.mutex.Lock()
		done := holds()
		me.mutex.Unlock()
		if done {
			return
		}
		select {
		case <-me.changed:
		case err := <-me.ended:
			log.Fatalf("ended before %s: %v; errors %q", what, err, me.errors)
		case <-deadline:
			me.mutex.Lock()
			log.Fatalf("not in time: %s; heard %v, operations %v, failures %v, errors %q",
				what, me.statuses, me.operations, me.failures, me.errors)
		}
	}
}

// awaitState waits until a task has got into a state and returns the status that said so.
func (me *framework) awaitState(task string, state mesos.TaskState) (found mesos.TaskStatus) {
	me.await(task+" "+state.String(), func() bool {
		for _, status := range me.statuses[task] {
			if status.GetState() == state {
				found = status
				return true
			}
		}
		return false
	})
	return found
}

// awaitOperation waits until an operation has finished.
func (me *framework) awaitOperation(id string) {
	me.await("operation "+id, func() bool {
		state := me.operations[id]
		check(state != mesos.OPERATION_ERROR && state != mesos.OPERATION_FAILED,
			"operation %s ended as %v", id, state)
		return state == mesos.OPERATION_FINISHED
	})
}

// take waits for an offer that has some resources and gives away all others.
func (me *framework) take(wanted mesos.Resources) (taken mesos.Offer) {
	me.do(calls.Revive())
	me.await("an offer with "+wanted.String(), func() bool {
		for _, offer := range me.offers {
			if resources.ContainsAll(offer.Resources, wanted) {
				taken = offer
				delete(me.offers, offer.ID)
				return true
			}
		}
		return false
	})
	return taken
}

// accept carries out operations on an offer.
func (me *framework) accept(offer mesos.Offer, operations ...mesos.Offer_Operation) {
	me.do(calls.Accept(calls.OfferOperations(operations).WithOffers(offer.ID)).With(
		calls.RefuseSeconds(0)))
}

// do makes a call that must be taken.
func (me *framework) do(call *scheduler.Call) {
	must(call.GetType().String(), calls.CallNoData(context.Background(), me, call))
}

// identity returns the framework's id.
func (me *framework) identity() string { return store.GetOrPanic(me.id)() }

func (me *framework) dial(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		me.mutex.Lock()
		me.connections[connection] = true
		me.mutex.Unlock()
	}
	return connection, err
}

// cut closes every connection to the master.
func (me *framework) cut() {
	me.mutex.Lock()
	defer me.mutex.Unlock()
	for connection := range me.connections {
		connection.Close()
		delete(me.connections, connection)
	}
}
