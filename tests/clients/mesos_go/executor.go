package main

import (
	"context"
	"crypto/rand"
	"io"
	"log"
	"net/url"
	"os"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/mesos/mesos-go/api/v1/lib/executor/calls"
	"github.com/mesos/mesos-go/api/v1/lib/executor/config"
	"github.com/mesos/mesos-go/api/v1/lib/executor/events"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpexec"
)

// worker is an executor whose tasks run until a message names them, or they are killed.
type worker struct {
	calls.Sender
	id       mesos.ExecutorID
	tasks    map[mesos.TaskID]mesos.TaskInfo
	updates  map[string]executor.Call_Update
	shutdown bool
}

// execute runs the executor until its agent says SHUTDOWN or has been away for too long.
func execute() {
	settings, err := config.FromEnv()
	must("environment", err)
	client := httpcli.New(
		httpcli.Endpoint((&url.URL{
			Scheme: "http", Host: settings.AgentEndpoint, Path: "/api/v1/executor",
		}).String()),
		httpcli.Codec(codec(os.Getenv("CLIENT_CODEC"))),
	)
	identity := []executor.CallOpt{
		calls.Framework(settings.FrameworkID), calls.Executor(settings.ExecutorID),
	}
	me := &worker{
		Sender:  calls.SenderWith(httpexec.NewSender(client.Send), identity...),
		id:      mesos.ExecutorID{Value: settings.ExecutorID},
		tasks:   map[mesos.TaskID]mesos.TaskInfo{},
		updates: map[string]executor.Call_Update{},
	}
	stream := calls.SenderWith(httpexec.NewSender(client.Send, httpcli.Close(true)), identity...)
	for lost := time.Now(); !me.shutdown && time.Since(lost) < settings.RecoveryTimeout; {
		if err := me.listen(stream, &lost); err != nil && err != io.EOF {
			log.Print(err)
		}
		if !me.shutdown {
			time.Sleep(settings.SubscriptionBackoffMax / 10)
		}
	}
}

// listen subscribes and handles events until the stream ends.
func (me *worker) listen(stream calls.Sender, lost *time.Time) error {
	var tasks []mesos.TaskInfo
	for _, task := range me.tasks {
		tasks = append(tasks, task)
	}
	var updates []executor.Call_Update
	for _, update := range me.updates {
		updates = append(updates, update)
	}
	response, err := stream.Send(
		context.Background(), calls.NonStreaming(calls.Subscribe(tasks, updates)))
	if response != nil {
		defer response.Close()
	}
	for err == nil && !me.shutdown {
		var event executor.Event
		if err = response.Decode(&event); err == nil {
			err = me.handlers().HandleEvent(context.Background(), &event)
		}
		*lost = time.Now()
	}
	return err
}

func (me *worker) handlers() events.HandlerFuncs {
	return events.HandlerFuncs{
		executor.Event_LAUNCH: func(_ context.Context, event *executor.Event) error {
			task := event.GetLaunch().GetTask()
			me.tasks[task.TaskID] = task
			return me.update(task.TaskID, mesos.TASK_RUNNING, task.Data)
		},
		executor.Event_KILL: func(_ context.Context, event *executor.Event) error {
			return me.update(event.GetKill().TaskID, mesos.TASK_KILLED, nil)
		},
		executor.Event_MESSAGE: func(ctx context.Context, event *executor.Event) error {
			said := event.GetMessage().GetData()
			answer := calls.Message(append([]byte("heard "), said...))
			if err := calls.SendNoData(ctx, me, calls.NonStreaming(answer)); err != nil {
				return err
			}
			return me.update(mesos.TaskID{Value: string(said)}, mesos.TASK_FINISHED, nil)
		},
		executor.Event_ACKNOWLEDGED: func(_ context.Context, event *executor.Event) error {
			delete(me.tasks, event.GetAcknowledged().TaskID)
			delete(me.updates, string(event.GetAcknowledged().UUID))
			return nil
		},
		executor.Event_SHUTDOWN: func(context.Context, *executor.Event) error {
			me.shutdown = true
			return nil
		},
	}
}

// update tells the state of a task and keeps the update until it is acknowledged.
func (me *worker) update(id mesos.TaskID, state mesos.TaskState, data []byte) error {
	uuid := make([]byte, 16)
	if _, err := rand.Read(uuid); err != nil {
		return err
	}
	uuid[6] = uuid[6]&0x0f | 0x40 // a version, as Mesos asks of a UUID
	now := float64(time.Now().UnixNano()) / 1e9
	call := calls.Update(mesos.TaskStatus{
		TaskID:     id,
		ExecutorID: &me.id,
		State:      &state,
		Source:     mesos.SOURCE_EXECUTOR.Enum(),
		UUID:       uuid,
		Data:       data,
		Timestamp:  &now,
	})
	me.updates[string(uuid)] = *call.Update
	return calls.SendNoData(context.Background(), me, calls.NonStreaming(call))
}
