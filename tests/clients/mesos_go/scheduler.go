package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
)

// schedule leads a framework from its subscription to its teardown.
func schedule(master string, codec encoding.Codec) {
	me := start(master, codec, "")
	say("subscribed %s", me.identity())
	me.runCommands(5)
	me.runExecutor(codec.Name)
	me.runGroup()
	me.keepData()
	me.reconnect()
	heir := me.failOver(master, codec)
	heir.do(&scheduler.Call{Type: scheduler.Call_TEARDOWN})
	heir.stop()
	say("torn down")
}

// share is what each task and each executor gets.
func share() mesos.Resources {
	return mesos.Resources{
		resources.NewCPUs(0.1).Resource, resources.NewMemory(32).Resource,
	}.Allocate(role)
}

func times(count int, part mesos.Resources) (total mesos.Resources) {
	for ; count > 0; count-- {
		total.Add(part...)
	}
	return total
}

func task(offer mesos.Offer, id, command string) mesos.TaskInfo {
	return mesos.TaskInfo{
		Name:      "mesos-go " + id,
		TaskID:    mesos.TaskID{Value: id},
		AgentID:   offer.AgentID,
		Resources: share(),
		Command:   &mesos.CommandInfo{Value: &command},
	}
}

// runCommands lets the agent's own executor run commands: to their end, or until they are killed.
func (me *framework) runCommands(count int) {
	offer := me.take(times(count+2, share()))
	tasks := []mesos.TaskInfo{task(offer, "failing", "exit 3"), task(offer, "killed", "sleep 1000")}
	for number := 0; number < count; number++ {
		tasks = append(tasks, task(offer, fmt.Sprint("command-", number), "echo $MESOS_SANDBOX"))
	}
	me.accept(offer, calls.OpLaunch(tasks...))
	for number := 0; number < count; number++ {
		me.awaitState(fmt.Sprint("command-", number), mesos.TASK_FINISHED)
	}
	say("finished %d commands", count)
	failed := me.awaitState("failing", mesos.TASK_FAILED)
	say("failing: %s, %s", failed.GetReason(), failed.GetMessage())
	me.awaitState("killed", mesos.TASK_RUNNING)
	me.do(calls.Kill("killed", offer.AgentID.Value))
	me.awaitState("killed", mesos.TASK_KILLING)
	me.awaitState("killed", mesos.TASK_KILLED)
	say("killed a command")
}

// runExecutor starts this program as an executor, talks with it and ends it.
func (me *framework) runExecutor(codec string) {
	program, err := os.Executable()
	must("program", err)
	offer := me.take(times(3, share()))
	executor := &mesos.ExecutorInfo{
		Type:       mesos.ExecutorInfo_CUSTOM,
		ExecutorID: mesos.ExecutorID{Value: "worker"},
		Name:       text("mesos-go executor"),
		Resources:  share(),
		Command: &mesos.CommandInfo{
			Value: text("exec '" + program + "' execute"),
			Environment: &mesos.Environment{Variables: []mesos.Environment_Variable{
				{Name: "CLIENT_CODEC", Value: &codec},
			}},
		},
	}
	var tasks []mesos.TaskInfo
	for _, id := range []string{"talking", "stubborn"} {
		one := task(offer, id, "")
		one.Command, one.Executor, one.Data = nil, executor, []byte("\x00data of "+id)
		tasks = append(tasks, one)
	}
	me.accept(offer, calls.OpLaunch(tasks...))
	for _, each := range tasks {
		running := me.awaitState(each.TaskID.Value, mesos.TASK_RUNNING)
		check(string(running.Data) == string(each.Data), "data came back as %q", running.Data)
		check(running.GetExecutorID().GetValue() == "worker", "executor: %v", running)
	}
	say("executor runs 2 tasks")
	me.do(calls.Message(offer.AgentID.Value, "worker", []byte("talking")))
	me.await("an answer", func() bool { return len(me.messages) > 0 })
	me.awaitState("talking", mesos.TASK_FINISHED)
	say("executor said: %s", me.messages[0])
	me.do(calls.Kill("stubborn", ""))
	me.awaitState("stubborn", mesos.TASK_KILLED)
	me.do(calls.Shutdown("worker", offer.AgentID.Value))
	me.await("the executor's end", func() bool {
		for _, failure := range me.failures {
			if failure.GetExecutorID().GetValue() == "worker" {
				return true
			}
		}
		return false
	})
	say("executor ended")
}

// runGroup starts two tasks together and sees both end when one is killed.
func (me *framework) runGroup() {
	offer := me.take(append(times(3, share()), disk(8)))
	executor := mesos.ExecutorInfo{
		Type:        mesos.ExecutorInfo_DEFAULT,
		ExecutorID:  mesos.ExecutorID{Value: "group"},
		FrameworkID: &mesos.FrameworkID{Value: me.identity()},
		Resources:   append(share(), disk(8)),
	}
	me.accept(offer, calls.OpLaunchGroup(executor,
		task(offer, "first", "sleep 1000"), task(offer, "second", "sleep 1000")))
	first := me.awaitState("first", mesos.TASK_RUNNING)
	second := me.awaitState("second", mesos.TASK_RUNNING)
	parents := [2]string{
		first.GetContainerStatus().GetContainerID().GetParent().GetValue(),
		second.GetContainerStatus().GetContainerID().GetParent().GetValue(),
	}
	check(parents[0] != "" && parents[0] == parents[1], "parents of the containers: %v", parents)
	me.do(calls.Kill("first", offer.AgentID.Value))
	me.awaitState("first", mesos.TASK_KILLED)
	me.awaitState("second", mesos.TASK_KILLED)
	say("group ended together")
}

func disk(megabytes float64) mesos.Resource {
	one := resources.NewDisk(megabytes).Resource
	one.Allocate(role)
	return one
}

// keepData reserves, makes a volume, writes to it, reads it in another task, and gives all back.
func (me *framework) keepData() {
	wanted := append(share(), disk(64))
	offer := me.take(wanted)
	reservation := mesos.Resource_ReservationInfo{
		Type:   mesos.Resource_ReservationInfo_DYNAMIC.Enum(),
		Role:   text(role),
		Labels: &mesos.Labels{Labels: []mesos.Label{{Key: "for", Value: text("data")}}},
	}
	reserved := wanted.PushReservation(reservation)
	volume := reserved[len(reserved)-1]
	volume.Disk = &mesos.Resource_DiskInfo{
		Persistence: &mesos.Resource_DiskInfo_Persistence{ID: "mesos-go-data"},
		Volume:      &mesos.Volume{ContainerPath: "data", Mode: mesos.RW.Enum()},
	}
	me.accept(offer,
		named("reserve", calls.OpReserve(reserved...)), named("create", calls.OpCreate(volume)))
	me.awaitOperation("reserve")
	me.awaitOperation("create")
	kept := append(mesos.Resources{volume}, reserved[:len(reserved)-1]...)
	for _, each := range [][2]string{
		{"writer", "echo kept > data/file"}, {"reader", "grep kept data/file"},
	} {
		offer = me.take(kept)
		one := task(offer, each[0], each[1])
		one.Resources = kept
		me.accept(offer, calls.OpLaunch(one))
		me.awaitState(each[0], mesos.TASK_FINISHED)
	}
	say("volume kept its data")
	offer = me.take(kept)
	me.accept(offer,
		named("destroy", calls.OpDestroy(volume)), named("unreserve", calls.OpUnreserve(reserved...)))
	me.awaitOperation("destroy")
	me.awaitOperation("unreserve")
	say("gave all back")
}

func named(id string, operation mesos.Offer_Operation) mesos.Offer_Operation {
	operation.ID = &mesos.OperationID{Value: id}
	return operation
}

// reconnect loses its connections while a task runs, comes back and asks for the task's state.
func (me *framework) reconnect() {
	offer := me.take(share())
	me.accept(offer, calls.OpLaunch(task(offer, "lasting", "sleep 1000")))
	me.awaitState("lasting", mesos.TASK_RUNNING)
	before, id := me.subscriptions, me.identity()
	me.cut()
	me.await("a new subscription", func() bool { return me.subscriptions > before })
	check(me.identity() == id, "another framework id: %s", me.identity())
	me.reconcile("lasting", offer.AgentID.Value)
	say("reconnected")
}

// reconcile asks for the state of a task, then for that of all, and for one that never was.
func (me *framework) reconcile(id, agent string) {
	for _, asked := range []map[string]string{{id: agent}, {id: ""}, {}, {"unheard-of": ""}} {
		me.mutex.Lock()
		before := map[string]int{id: len(me.statuses[id]), "unheard-of": len(me.statuses["unheard-of"])}
		me.mutex.Unlock()
		me.do(calls.Reconcile(calls.ReconcileTasks(asked)))
		about, state := id, mesos.TASK_RUNNING
		if _, ok := asked["unheard-of"]; ok {
			about, state = "unheard-of", mesos.TASK_UNKNOWN
		}
		me.await(fmt.Sprintf("reconciliation of %v", asked), func() bool {
			heard := me.statuses[about]
			return len(heard) > before[about] && heard[len(heard)-1].GetState() == state &&
				heard[len(heard)-1].GetReason() == mesos.REASON_RECONCILIATION
		})
	}
}

// failOver starts another scheduler of the same id, which takes over the running task.
func (me *framework) failOver(master string, codec encoding.Codec) *framework {
	id := me.identity()
	heir := start(master, codec, id)
	me.await("the master's farewell", func() bool { return len(me.errors) > 0 })
	me.stop()
	say("the old scheduler was told: %s", strings.TrimSpace(me.errors[0]))
	check(heir.identity() == id, "another framework id: %s", heir.identity())
	heir.do(calls.Reconcile())
	running := heir.awaitState("lasting", mesos.TASK_RUNNING)
	heir.do(calls.Kill("lasting", running.GetAgentID().GetValue()))
	heir.awaitState("lasting", mesos.TASK_KILLED)
	say("failed over")
	return heir
}
