"""The rows of profiles, as one clean set."""

import datetime
import uuid

import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        TrigramExtension(),
        migrations.CreateModel(
            name='Interaction',
            fields=[
                ('pk', models.CompositePrimaryKey('profile_id', 'occurred_at', 'id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('id', models.BigIntegerField()),
                ('profile_id', models.BigIntegerField()),
                ('identifier_id', models.BigIntegerField()),
                ('occurred_at', models.DateTimeField()),
                ('received_at', models.DateTimeField()),
                ('kind', models.CharField(max_length=10)),
                ('name', models.CharField(max_length=200)),
                ('properties', models.JSONField(default=dict)),
                ('context', models.JSONField(default=dict)),
                ('source_id', models.BigIntegerField()),
                ('message_id', models.CharField(max_length=128)),
            ],
            options={
                'db_table': 'profiles_interaction',
                'permissions': [('view_interaction', 'Can view interactions'), ('add_interaction', 'Can send interactions')],
                'managed': False,
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='RawMessage',
            fields=[
                ('pk', models.CompositePrimaryKey('received_at', 'id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('id', models.BigIntegerField()),
                ('received_at', models.DateTimeField()),
                ('source_id', models.BigIntegerField()),
                ('endpoint', models.CharField(max_length=16)),
                ('ip', models.GenericIPAddressField(null=True)),
                ('user_agent', models.TextField(default='')),
                ('body', models.BinaryField()),
            ],
            options={
                'db_table': 'profiles_rawmessage',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='RawIdentifier',
            fields=[
                ('pk', models.CompositePrimaryKey('received_at', 'raw_id', 'digest', blank=True, editable=False, primary_key=True, serialize=False)),
                ('received_at', models.DateTimeField()),
                ('raw_id', models.BigIntegerField()),
                ('digest', models.BigIntegerField()),
            ],
            options={
                'db_table': 'profiles_rawidentifier',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Identifier',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=40)),
                ('value', models.CharField(max_length=320)),
                ('anchored_profile_id', models.BigIntegerField(null=True)),
                ('trusted_at', models.DateTimeField(null=True)),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('tied', models.BooleanField(db_default=True)),
                ('restricted_at', models.DateTimeField(null=True)),
                ('in_use', models.BooleanField(db_default=True)),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField(null=True)),
                ('assertions', models.JSONField(default=dict)),
            ],
            options={
                'verbose_name': 'identifier',
                'verbose_name_plural': 'identifiers',
            },
        ),
        migrations.CreateModel(
            name='IdentifierKind',
            fields=[
                ('name', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('label', models.CharField(max_length=60, verbose_name='label')),
                ('priority', models.PositiveSmallIntegerField(verbose_name='priority')),
                ('limit', models.PositiveSmallIntegerField(verbose_name='most per person')),
                ('blocked_values', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), blank=True, default=list, size=None)),
            ],
            options={
                'verbose_name': 'kind of identifier',
                'verbose_name_plural': 'kinds of identifier',
                'ordering': ['priority'],
            },
        ),
        migrations.CreateModel(
            name='InboxEntry',
            fields=[
                ('raw_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('received_at', models.DateTimeField()),
                ('source_id', models.BigIntegerField()),
                ('attempts', models.SmallIntegerField(default=0)),
                ('due_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'profiles_inbox',
                'indexes': [models.Index(condition=models.Q(('attempts__gt', 0)), fields=['raw_id'], name='inbox_failed_idx')],
            },
        ),
        migrations.CreateModel(
            name='SeenMessage',
            fields=[
                ('key', models.UUIDField(primary_key=True, serialize=False)),
                ('payload_digest', models.BinaryField(max_length=8)),
                ('received_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'profiles_seenmessage',
                'indexes': [models.Index(fields=['received_at'], name='seenmessage_received_idx')],
            },
        ),
        migrations.CreateModel(
            name='IdentityLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_at', models.DateTimeField()),
                ('tie', models.CharField(max_length=40)),
                ('weak', models.BooleanField(default=False)),
                ('manual', models.BooleanField(default=False)),
                ('denied_at', models.DateTimeField(null=True)),
                ('denied_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('high', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.identifier')),
                ('low', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.identifier')),
            ],
        ),
        migrations.CreateModel(
            name='ImportRow',
            fields=[
                ('pk', models.CompositePrimaryKey('import_id', 'line', blank=True, editable=False, primary_key=True, serialize=False)),
                ('import_id', models.BigIntegerField()),
                ('line', models.BigIntegerField()),
                ('outcome', models.CharField(choices=[('created', 'created'), ('updated', 'updated'), ('unchanged', 'unchanged'), ('skipped', 'skipped'), ('rejected', 'rejected')], max_length=10)),
                ('reason', models.CharField(blank=True, max_length=60)),
                ('params', models.JSONField(null=True)),
                ('cells', models.JSONField(null=True)),
                ('data', models.JSONField(null=True)),
                ('profile_id', models.BigIntegerField(null=True)),
                ('changes', models.JSONField(null=True)),
                ('before', models.JSONField(null=True)),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['import_id', 'outcome', 'line'], name='importrow_outcome_idx'), models.Index(condition=models.Q(('profile_id__isnull', False)), fields=['profile_id'], name='importrow_profile_idx')],
            },
        ),
        migrations.CreateModel(
            name='Profile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('traits', models.JSONField(default=dict)),
                ('origins', models.JSONField(default=dict)),
                ('display_name', models.CharField(blank=True, max_length=200)),
                ('email', models.CharField(blank=True, max_length=320)),
                ('search_text', models.TextField(blank=True)),
                ('identified', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField(null=True)),
                ('restricted_at', models.DateTimeField(blank=True, null=True)),
                ('erased_at', models.DateTimeField(blank=True, null=True)),
                ('merged_into', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='profiles.profile')),
            ],
            options={
                'verbose_name': 'person',
                'verbose_name_plural': 'people',
                'permissions': [('view_pii', 'Can see names and addresses'), ('export_profile', 'Can export people'), ('merge_profile', 'Can merge and unmerge people'), ('erase_profile', 'Can erase people')],
            },
        ),
        migrations.CreateModel(
            name='Merge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cause', models.CharField(max_length=60)),
                ('state', models.CharField(choices=[('done', 'merged'), ('quarantined', 'to review'), ('undone', 'undone'), ('dismissed', 'kept apart')], default='done', max_length=12)),
                ('moved', models.JSONField(default=dict)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('undone_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('link', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='profiles.identitylink')),
                ('loser', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.profile')),
                ('winner', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.profile')),
            ],
            options={
                'verbose_name': 'merge',
                'verbose_name_plural': 'merges',
            },
        ),
        migrations.AddField(
            model_name='identifier',
            name='profile',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='identifiers', to='profiles.profile'),
        ),
        migrations.CreateModel(
            name='Source',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('slug', models.SlugField(max_length=60, unique=True, verbose_name='short name')),
                ('kind', models.CharField(choices=[('browser', 'Website or app (public key)'), ('server', 'Server (secret key)'), ('import', 'File import'), ('manual', 'Entered by hand'), ('system', 'Klantbeeld itself')], max_length=10, verbose_name='kind')),
                ('public_key', models.CharField(blank=True, editable=False, max_length=64)),
                ('key_digest', models.CharField(blank=True, editable=False, max_length=64)),
                ('key_hint', models.CharField(blank=True, editable=False, max_length=8)),
                ('previous_key_digest', models.CharField(blank=True, editable=False, max_length=64)),
                ('previous_key_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('allowed_origins', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), blank=True, default=list, size=None)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('last_seen_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('warning', models.CharField(blank=True, editable=False, max_length=200)),
            ],
            options={
                'verbose_name': 'source',
                'verbose_name_plural': 'sources',
                'constraints': [models.UniqueConstraint(condition=models.Q(('key_digest', ''), _negated=True), fields=('key_digest',), name='source_key_digest_unique'), models.CheckConstraint(condition=models.Q(('kind', 'browser'), ('public_key', ''), _connector='OR'), name='source_only_browser_keys_readable')],
            },
        ),
        migrations.CreateModel(
            name='RejectedMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, editable=False, unique=True)),
                ('received_at', models.DateTimeField(db_index=True)),
                ('raw_id', models.BigIntegerField()),
                ('position', models.IntegerField(default=0)),
                ('message_id', models.CharField(blank=True, max_length=128)),
                ('code', models.CharField(max_length=40)),
                ('params', models.JSONField(default=dict)),
                ('payload', models.JSONField(default=dict)),
                ('names', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('resolution', models.CharField(blank=True, max_length=10)),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.source')),
            ],
            options={
                'verbose_name': 'rejected message',
                'verbose_name_plural': 'rejected messages',
            },
        ),
        migrations.CreateModel(
            name='Import',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('file', models.FileField(upload_to='imports/')),
                ('file_digest', models.CharField(blank=True, max_length=64)),
                ('size', models.BigIntegerField(default=0)),
                ('encoding', models.CharField(default='utf-8', max_length=20)),
                ('delimiter', models.CharField(default=',', max_length=1)),
                ('header', models.JSONField(default=list)),
                ('header_digest', models.CharField(blank=True, db_index=True, max_length=64)),
                ('mapping', models.JSONField(default=dict)),
                ('proof', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('uploaded', 'uploaded'), ('checking', 'dry run'), ('ready', 'ready to commit'), ('running', 'running'), ('paused', 'paused'), ('done', 'done'), ('cancelled', 'cancelled'), ('failed', 'failed'), ('undoing', 'being undone'), ('undone', 'undone')], default='uploaded', max_length=10)),
                ('counts', models.JSONField(default=dict)),
                ('planned', models.JSONField(default=dict)),
                ('rows_total', models.BigIntegerField(default=0)),
                ('rows_done', models.BigIntegerField(default=0)),
                ('done_line', models.BigIntegerField(default=0)),
                ('stop_wanted', models.CharField(blank=True, max_length=10)),
                ('error_code', models.CharField(blank=True, max_length=60)),
                ('error_params', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('checked_at', models.DateTimeField(null=True)),
                ('said_at', models.DateTimeField(null=True)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('rows_removed_at', models.DateTimeField(null=True)),
                ('confirmed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('source', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='profiles.source')),
            ],
            options={
                'verbose_name': 'import',
                'verbose_name_plural': 'imports',
                'ordering': ['-created_at'],
            },
        ),
        migrations.AddField(
            model_name='identitylink',
            name='source',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='profiles.source'),
        ),
        migrations.AddField(
            model_name='identifier',
            name='source',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='profiles.source'),
        ),
        migrations.CreateModel(
            name='HeldLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('weak', models.BooleanField(default=False)),
                ('high', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.identifier')),
                ('low', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.identifier')),
                ('source', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='profiles.source')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('low', 'high'), name='heldlink_unique')],
            },
        ),
        migrations.CreateModel(
            name='SourceCounter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('received', models.BigIntegerField(default=0)),
                ('stored', models.BigIntegerField(default=0)),
                ('duplicate', models.BigIntegerField(default=0)),
                ('conflicting', models.BigIntegerField(default=0)),
                ('rejected', models.BigIntegerField(default=0)),
                ('erased', models.BigIntegerField(default=0)),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.source')),
            ],
        ),
        migrations.CreateModel(
            name='LeftOutValue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=40)),
                ('field', models.CharField(max_length=200)),
                ('count', models.BigIntegerField()),
                ('first_at', models.DateTimeField()),
                ('last_at', models.DateTimeField(db_index=True)),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.source')),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('source', 'code', 'field'), name='leftoutvalue_unique')],
            },
        ),
        migrations.CreateModel(
            name='RefusedRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(unique=True)),
                ('code', models.CharField(max_length=40)),
                ('path', models.CharField(blank=True, max_length=200)),
                ('user_agent', models.CharField(blank=True, max_length=200)),
                ('origin', models.CharField(blank=True, max_length=200)),
                ('key_start', models.CharField(blank=True, max_length=20)),
                ('count', models.BigIntegerField()),
                ('first_at', models.DateTimeField()),
                ('last_at', models.DateTimeField(db_index=True)),
                ('source', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.source')),
            ],
            options={
                'verbose_name': 'refused request',
                'verbose_name_plural': 'refused requests',
            },
        ),
        migrations.CreateModel(
            name='TraitChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=100)),
                ('old', models.JSONField(null=True)),
                ('new', models.JSONField(null=True)),
                ('at', models.DateTimeField()),
                ('cause', models.CharField(max_length=60)),
                ('profile', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='profiles.profile')),
                ('source', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='profiles.source')),
            ],
            options={
                'verbose_name': 'trait change',
                'verbose_name_plural': 'trait changes',
            },
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(models.OrderBy(django.db.models.functions.comparison.Coalesce('last_seen_at', models.Value(datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc))), descending=True), models.OrderBy(models.F('id'), descending=True), condition=models.Q(('erased_at', None), ('merged_into', None)), name='profile_alive_seen_idx'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(condition=models.Q(('erased_at', None), ('merged_into', None)), fields=['-first_seen_at', '-id'], name='profile_alive_first_idx'),
        ),
        migrations.AddIndex(
            model_name='merge',
            index=models.Index(fields=['-at', '-id'], name='merge_recent_idx'),
        ),
        migrations.AddIndex(
            model_name='rejectedmessage',
            index=django.contrib.postgres.indexes.GinIndex(fields=['names'], name='rejected_names_idx'),
        ),
        migrations.AddIndex(
            model_name='rejectedmessage',
            index=models.Index(condition=models.Q(('resolved_at', None)), fields=['-id'], name='rejected_open_idx'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(condition=models.Q(('restricted_at__isnull', False)), fields=['-last_seen_at', '-id'], name='profile_restricted_idx'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(condition=models.Q(('merged_into', None), _negated=True), fields=['merged_into'], name='profile_merged_idx'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=django.contrib.postgres.indexes.GinIndex(fields=['search_text'], name='profile_search_idx', opclasses=['gin_trgm_ops']),
        ),
        migrations.AddIndex(
            model_name='merge',
            index=models.Index(fields=['winner', '-at'], name='merge_winner_idx'),
        ),
        migrations.AddIndex(
            model_name='merge',
            index=models.Index(fields=['loser'], name='merge_loser_idx'),
        ),
        migrations.AddIndex(
            model_name='merge',
            index=models.Index(fields=['state', '-at', '-id'], name='merge_state_idx'),
        ),
        migrations.AddConstraint(
            model_name='merge',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'quarantined')), fields=('link',), name='merge_one_review_per_link'),
        ),
        migrations.AddIndex(
            model_name='rejectedmessage',
            index=models.Index(fields=['source', '-id'], name='rejected_source_idx'),
        ),
        migrations.AddIndex(
            model_name='identitylink',
            index=models.Index(fields=['high'], name='identitylink_high_idx'),
        ),
        migrations.AddConstraint(
            model_name='identitylink',
            constraint=models.UniqueConstraint(fields=('low', 'high'), name='identitylink_unique'),
        ),
        migrations.AddConstraint(
            model_name='identitylink',
            constraint=models.CheckConstraint(condition=models.Q(('low__lt', models.F('high'))), name='identitylink_ordered'),
        ),
        migrations.AddConstraint(
            model_name='identifier',
            constraint=models.UniqueConstraint(fields=('kind', 'value'), name='identifier_unique'),
        ),
        migrations.AddConstraint(
            model_name='sourcecounter',
            constraint=models.UniqueConstraint(fields=('source', 'hour'), name='sourcecounter_unique'),
        ),
        migrations.AddConstraint(
            model_name='sourcecounter',
            constraint=models.CheckConstraint(condition=models.Q(('received', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('stored'), '+', models.F('duplicate')), '+', models.F('rejected')), '+', models.F('erased')))), name='sourcecounter_adds_up'),
        ),
        migrations.AddIndex(
            model_name='traitchange',
            index=models.Index(fields=['profile', '-at'], name='traitchange_profile_idx'),
        ),
        migrations.CreateModel(
            name='CatalogueEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, editable=False, unique=True)),
                ('scope', models.CharField(choices=[('trait', 'trait'), ('event', 'event'), ('property', 'property')], max_length=8)),
                ('event', models.CharField(blank=True, max_length=200)),
                ('path', models.CharField(blank=True, max_length=200)),
                ('types', models.JSONField(default=dict)),
                ('count', models.BigIntegerField(default=0)),
                ('people', models.BigIntegerField(default=0)),
                ('top_values', models.JSONField(default=dict)),
                ('source_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
                ('first_seen_at', models.DateTimeField(null=True)),
                ('last_seen_at', models.DateTimeField(null=True)),
                ('description', models.CharField(blank=True, max_length=500, verbose_name='description')),
                ('pii', models.CharField(blank=True, choices=[('', 'not decided: masked like personal data'), ('open', 'not personal: everybody may read it'), ('personal', 'personal')], default='', max_length=8, verbose_name='personal data')),
                ('declared_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'catalogue entry',
                'verbose_name_plural': 'catalogue',
                'constraints': [models.UniqueConstraint(fields=('scope', 'event', 'path'), name='catalogueentry_unique')],
            },
        ),
        migrations.CreateModel(
            name='ChangedPerson',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('profile_id', models.BigIntegerField()),
                ('uuid', models.UUIDField(null=True)),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('due_at', models.DateTimeField(null=True)),
                ('attempts', models.SmallIntegerField(db_default=0)),
            ],
            options={
                'db_table': 'profiles_changed',
                'default_permissions': (),
                'indexes': [models.Index(condition=models.Q(('attempts__gt', 0)), fields=['id'], name='changed_failed_idx')],
            },
        ),
        migrations.CreateModel(
            name='PersonChange',
            fields=[
                ('profile_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('uuid', models.UUIDField()),
                ('changed_at', models.DateTimeField()),
                ('gone', models.BooleanField()),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['changed_at', 'profile_id'], name='personchange_order_idx'), models.Index(condition=models.Q(('gone', True)), fields=['changed_at'], name='personchange_gone_idx')],
            },
        ),
        migrations.CreateModel(
            name='Export',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(max_length=40)),
                ('format', models.CharField(choices=[('ndjson', 'JSON lines'), ('csv', 'CSV')], max_length=10)),
                ('filters', models.JSONField(default=dict)),
                ('parts', models.JSONField(default=list)),
                ('open_names', models.BooleanField()),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('running', 'running'), ('done', 'done'), ('cancelled', 'cancelled'), ('failed', 'failed'), ('expired', 'file deleted')], default='waiting', max_length=10)),
                ('stop_wanted', models.BooleanField(default=False)),
                ('rows', models.BigIntegerField(default=0)),
                ('size', models.BigIntegerField(default=0)),
                ('code', models.CharField(blank=True, max_length=60)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(null=True)),
                ('as_of', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('created_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'export',
                'verbose_name_plural': 'exports',
                'default_permissions': (),
                'indexes': [models.Index(fields=['state', 'created_at'], name='export_state_idx')],
            },
        ),
    ]
