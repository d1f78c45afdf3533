from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0007_waiting'),
    ]

    operations = [
        migrations.AddField(
            model_name='lease',
            name='taken_at',
            field=models.DateTimeField(null=True),
        ),
    ]
